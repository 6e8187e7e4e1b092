"""The ASGI application: every route, every error a problem document, every request measured."""

from __future__ import annotations

import time

import structlog
from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flyball.errors import FlyballError
from serving.evaluating.description import routes as describe_evaluate
from serving.evaluating.endpoint import EvaluateEndpoint
from serving.forward_auth.description import routes as describe_authorize
from serving.forward_auth.endpoint import AuthorizeEndpoint
from serving.openfeature.endpoint import routes as openfeature
from serving.rest import (
    accounts,
    decisions,
    events,
    explanation,
    health,
    people,
    problem,
    snapshot,
)
from serving.rest.direct import Direct
from serving.rest.elsewhere import Elsewhere
from serving.settings import Settings, load_settings
from serving.worker import Worker

_DESCRIPTION = """
Flyball decides, tenant by tenant, how tight an API plan's limit should be.

* Gateways read **decisions**, one by one, in batches, or as a signed snapshot.
* Systems hand in **telemetry** (CloudEvents) and **accounts**.
* People have a say: overrides, the kill switch, experiments.

Errors are RFC 9457 problem documents. Times are RFC 3339 UTC; money is integer minor units.
"""


class Measured:
    """Counts and times API requests by route template; never by tenant."""

    def __init__(self, app: ASGIApp, worker: Worker) -> None:
        self._app = app
        self._metrics = worker.metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request through and note its route, status class and duration."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 500

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watch)
        finally:
            route = getattr(scope.get("route"), "path", "unmatched")
            self._metrics.requests.labels(route, f"{status // 100}xx").inc()
            self._metrics.latency.labels(route).observe(time.perf_counter() - began)


def settings_of(worker: Worker) -> Settings:
    """The home's settings; the defaults where the file has been broken since the start."""
    try:
        return load_settings(worker.home.settings)
    except FlyballError as error:
        structlog.get_logger("serving.rest").error("settings_refused", error=str(error))
        return Settings()


def create_application(worker: Worker) -> FastAPI:
    """The application of one worker."""
    app = FastAPI(
        title="Flyball",
        description=_DESCRIPTION,
        version="1",
        docs_url="/docs",
        redoc_url=None,
        openapi_url="/openapi.json",
    )
    app.state.worker = worker
    problem.install(app)
    for module in (decisions, snapshot, explanation, events, accounts, people, health):
        app.include_router(module.routes())
    app.include_router(describe_evaluate())
    app.include_router(describe_authorize())
    app.include_router(openfeature())
    app.add_middleware(Measured, worker=worker)
    # Outermost, because what is added last runs first.
    authorize = AuthorizeEndpoint(worker, settings_of(worker).authorize)
    elsewhere = () if worker.mirrors is None else (Elsewhere(worker.mirrors),)
    app.add_middleware(Direct, routes=(*elsewhere, authorize, EvaluateEndpoint(worker)))
    return app
