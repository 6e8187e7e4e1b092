"""Who may call which route, decided once, before the route runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request

from serving.rest.bearer import Principal
from serving.rest.problem import ProblemError
from serving.worker import Worker


def worker_of(request: Request) -> Worker:
    """The worker that this request runs in."""
    worker: Worker = request.app.state.worker
    return worker


def requires(*roles: str) -> Callable[[Request], Principal]:
    """A dependency that lets principals with one of ``roles`` (or admin) through.

    Strangers get 401 with a challenge (RFC 6750); others 403. The two say nothing about whether
    the thing asked for exists.
    """

    def admit(request: Request) -> Principal:
        authorization = request.headers.get("authorization")
        host = request.headers.get("host")
        who = worker_of(request).principal(
            authorization.encode("latin-1") if authorization is not None else None,
            host.encode("latin-1") if host is not None else None,
        )
        if who is None:
            raise ProblemError(
                401,
                "A bearer token is needed: make one with `flyball token create`.",
                code="unauthorized",
                headers={"www-authenticate": 'Bearer realm="flyball"'},
            )
        if not who.may(roles):
            raise ProblemError(
                403,
                f"This needs one of the roles: {', '.join((*roles, 'admin'))}.",
                code="forbidden",
            )
        return who

    return admit


At = Annotated[Worker, Depends(worker_of)]
Gateway = Annotated[Principal, Depends(requires("gateway", "cs", "data-science"))]
Ingest = Annotated[Principal, Depends(requires("ingest"))]
Reader = Annotated[Principal, Depends(requires("cs", "data-science"))]
Success = Annotated[Principal, Depends(requires("cs"))]
Admin = Annotated[Principal, Depends(requires())]
Anyone = Annotated[Principal, Depends(requires("gateway", "ingest", "cs", "data-science"))]
