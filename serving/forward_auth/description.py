"""What the OpenAPI document says about ``/v1/authorize``; the endpoint itself answers."""

from __future__ import annotations

from fastapi import APIRouter, Response

_RESPONSES: dict[int | str, dict[str, object]] = {
    200: {"description": "Pass the request on, with the X-Flyball and RateLimit fields."},
    402: {"description": "A paid allowance is used up, where the plan says that more can be had."},
    429: {"description": "Too fast. Retry-After says when; the body is a problem document."},
}


def routes() -> APIRouter:
    """The route as documented; Direct answers it before the framework is asked."""
    router = APIRouter(tags=["enforcement"])

    @router.get(
        "/v1/authorize",
        summary="Count one request of the tenant that the trusted header names; pass or refuse",
        responses=_RESPONSES,
    )
    async def authorize(deny_status: int | None = None) -> Response:
        return Response(status_code=200)

    return router
