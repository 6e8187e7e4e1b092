"""All routes of this room."""

from __future__ import annotations

from fastapi import APIRouter

from console.say import approvals, bulk, follow_up, override, tasks


def routes() -> APIRouter:
    """Overrides, approvals, and what people write down."""
    router = APIRouter()
    for part in (override, approvals, follow_up, tasks, bulk):
        router.include_router(part.routes())
    return router
