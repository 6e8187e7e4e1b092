"""Routes that are asked for at the gateway's own pace, answered before the framework."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from starlette.types import ASGIApp, Receive, Scope, Send


class DirectRoute(Protocol):
    """One such route."""

    def takes(self, scope: Scope) -> bool:
        """Whether an HTTP request is for this route; cheap, asked for every request."""
        ...

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer it, errors included."""
        ...


class Direct:
    """ASGI middleware: the first route that takes a request answers it, else the application."""

    def __init__(self, app: ASGIApp, routes: Sequence[DirectRoute]) -> None:
        self._app = app
        self._routes = tuple(routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] == "http":
            for route in self._routes:
                if route.takes(scope):
                    await route(scope, receive, send)
                    return
        await self._app(scope, receive, send)
