"""The digest as a page: the visitor's own."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from console.access.visitor import Signed, signed_in_router
from console.design.pages import page
from console.desk import desk_of
from console.digest.letter import letter_about


def routes() -> APIRouter:
    """One page."""
    router = signed_in_router()

    @router.get("/console/digest")
    def digest(request: Request, visitor: Signed) -> Response:
        told = letter_about(desk_of(request), visitor.user, visitor.accessible)
        return page(request, "digest/page.html", visitor=visitor, letter=told)

    return router
