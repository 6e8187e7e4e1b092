"""Help: the keys, and what the words on the pages mean."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from console.access.visitor import Signed, signed_in_router
from console.design.pages import page


def routes() -> APIRouter:
    """One page."""
    router = signed_in_router()

    @router.get("/console/help")
    def help_page(request: Request, visitor: Signed) -> Response:
        return page(request, "guide.html", visitor=visitor)

    return router
