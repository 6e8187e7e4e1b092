"""All routes of this room."""

from __future__ import annotations

from fastapi import APIRouter

from console.say import approvals, override


def routes() -> APIRouter:
    """Overrides, approvals, and what people write down."""
    router = APIRouter()
    for part in (override.routes(), approvals.routes()):
        router.include_router(part)
    return router
