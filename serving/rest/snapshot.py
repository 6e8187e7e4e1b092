"""The signed snapshot for other nodes: whole, or what came after a version."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from starlette.responses import StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.rest.gate import At, Gateway
from serving.rest.problem import ProblemError
from serving.rest.snapshot_stream import SnapshotStream
from serving.snapshot.transfer import SnapshotCopy, copy_snapshot
from serving.snapshot.version import Version, parse_version

MEDIA_TYPE = "application/octet-stream"

Since = Annotated[
    str | None,
    Query(description="The version you have, EPOCH.NUMBER; only what came after it is sent."),
]


def no_snapshot() -> ProblemError:
    """What is said before the first snapshot."""
    return ProblemError(
        503,
        "There is no snapshot yet; the control loop writes the first one.",
        code="no_snapshot",
        headers={"retry-after": "1"},
    )


def behind(asked: Version, here: Version) -> ProblemError:
    """What is said to a node that has more than this server."""
    return ProblemError(
        409,
        f"This server is at {here}, and you have {asked}: keep what you have and ask again later.",
        code="snapshot_behind",
        headers={"retry-after": "5"},
    )


def routes() -> APIRouter:
    """Routes for nodes that keep a copy."""
    router = APIRouter(tags=["decisions"])

    @router.get(
        "/v1/snapshot",
        summary="The signed snapshot: a base file and the delta frames applied to it",
        responses={
            200: {"content": {MEDIA_TYPE: {}}},
            304: {"description": "You have this version."},
            409: {"description": "You have a newer version than this server."},
        },
    )
    def snapshot(
        worker: At,
        _: Gateway,
        since: Since = None,
        if_none_match: Annotated[str | None, Header()] = None,
    ) -> Response:
        asked = None if since is None else parse_version(since)
        copy = copy_snapshot(worker.home.snapshot, asked)
        if copy is None:
            raise no_snapshot()
        tags = {tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")}
        if asked == copy.version or tags & {copy.etag, "*"}:
            copy.source.close()
            return Response(status_code=304, headers=_headers(copy))
        if asked is not None and asked > copy.version:
            copy.source.close()
            raise behind(asked, copy.version)
        headers = _headers(copy) | {"content-length": str(copy.length)}
        return StreamingResponse(copy.chunks(), media_type=MEDIA_TYPE, headers=headers)

    @router.get(
        "/v1/snapshot/stream",
        summary="What you lack, then every later version as it appears; it does not end",
        responses={
            200: {"content": {"application/vnd.flyball.snapshot-stream": {}}},
            409: {"description": "You have a newer version than this server."},
        },
    )
    def stream(worker: At, _: Gateway, since: Since = None) -> Response:
        asked = None if since is None else parse_version(since)
        copy = copy_snapshot(worker.home.snapshot, asked)
        if copy is None:
            raise no_snapshot()
        if asked is not None and asked > copy.version:
            copy.source.close()
            raise behind(asked, copy.version)
        if not worker.streams.take():
            copy.source.close()
            raise ProblemError(
                503,
                f"This worker serves {worker.streams.most} streams already.",
                code="too_many_streams",
                headers={"retry-after": "5"},
            )
        return AsResponse(
            SnapshotStream(worker.home.snapshot, copy, worker.streams, worker.is_leaving)
        )

    return router


class AsResponse(Response):
    """An ASGI application where a route must return a response."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__()
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand over to the application."""
        await self._app(scope, receive, send)


def _headers(copy: SnapshotCopy) -> dict[str, str]:
    return {
        "etag": copy.etag,
        "flyball-version": str(copy.version),
        "flyball-base-bytes": str(copy.base_bytes),
        "cache-control": "no-cache",
    }
