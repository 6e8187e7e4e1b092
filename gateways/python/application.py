"""A Python service that holds its tenants to their limits by itself.

    uvicorn application:app --port 8000

Settings come from the environment: FLYBALL_URL, FLYBALL_KEY (the public key), FLYBALL_NODE (a
directory of this node's own), FLYBALL_TOKEN and FLYBALL_INGEST_TOKEN where the home has tokens.
REDIS_URL and NODES where several nodes count together; FLYBALL_DEADLINE_SECONDS is how long Redis
may take before a node counts for itself, FLYBALL_FLUSH_SECONDS how often usage is posted.
"""

from __future__ import annotations

import os
from typing import Any

from fastapi import FastAPI, Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from flyball.asgi import FlyballMiddleware, ThrottleSettings

#: Who asks: the service's own authentication. Here API keys; replace it with yours.
API_KEYS = {"demo-key-1": "ent_1", "demo-key-2": "ent_2"}


class Authentication:
    """Lets known API keys in and says whose they are; runs before the limits."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with its tenant in ``scope["state"]``, or refuse it with 401."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        key = dict(scope["headers"]).get(b"x-api-key", b"").decode("latin-1")
        tenant = API_KEYS.get(key)
        if tenant is None:
            await JSONResponse({"title": "No such API key", "status": 401}, 401)(
                scope, receive, send
            )
            return
        # A dictionary of this request's own: what the server hands out may be shared.
        scope["state"] = {**scope.get("state", {}), "tenant": tenant}
        await self._app(scope, receive, send)


def tenant_of(scope: Scope) -> str | None:
    """The authenticated tenant of a request; never a header that a client fills in."""
    tenant: str | None = scope.get("state", {}).get("tenant")
    return tenant


app = FastAPI()
app.add_middleware(
    FlyballMiddleware,
    url=os.environ.get("FLYBALL_URL", "http://127.0.0.1:8080"),
    key=os.environ.get("FLYBALL_KEY", "signing.pub"),
    directory=os.environ.get("FLYBALL_NODE", "flyball-node"),
    token=os.environ.get("FLYBALL_TOKEN"),
    ingest_token=os.environ.get("FLYBALL_INGEST_TOKEN"),
    identify=tenant_of,
    redis_url=os.environ.get("REDIS_URL"),
    nodes=int(os.environ.get("NODES", "1")),
    settings=ThrottleSettings(
        plan_url="https://example.com/plan",
        deadline_seconds=float(os.environ.get("FLYBALL_DEADLINE_SECONDS", "0.020")),
        flush_seconds=float(os.environ.get("FLYBALL_FLUSH_SECONDS", "60")),
    ),
)
app.add_middleware(Authentication)  # added last, so it runs first


@app.get("/v1/things")
async def things(request: Request) -> dict[str, Any]:
    """What reached the service."""
    return {"tenant": request.state.tenant, "headers": sorted(request.headers)}
