"""Errors on the wire: RFC 9457 problem details, one shape for every refusal."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from flyball.errors import (
    Conflict,
    FlyballError,
    InvalidInput,
    NotFound,
    Refused,
    StorageError,
)

MEDIA_TYPE = "application/problem+json"

_STATUS: tuple[tuple[type[FlyballError], HTTPStatus], ...] = (
    (InvalidInput, HTTPStatus.UNPROCESSABLE_ENTITY),
    (NotFound, HTTPStatus.NOT_FOUND),
    (Conflict, HTTPStatus.CONFLICT),
    (Refused, HTTPStatus.CONFLICT),
    (StorageError, HTTPStatus.SERVICE_UNAVAILABLE),
)


class ProblemError(Exception):
    """A refusal that has its own status, raised by routes."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        code: str = "",
        headers: dict[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.code = code
        self.headers = headers or {}
        self.members = members


def problem(
    status: int,
    detail: str,
    *,
    code: str = "",
    headers: dict[str, str] | None = None,
    **members: Any,
) -> Response:
    """A problem document; ``code`` is stable for programs, ``detail`` is for people.

    Nothing that a tenant can see carries a probability, and problems never do.
    """
    body = {
        "type": f"https://flyball.dev/problems/{code}" if code else "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        **({"code": code} if code else {}),
        **members,
    }
    return Response(
        msgspec.json.encode(body), status_code=status, media_type=MEDIA_TYPE, headers=headers
    )


def _status_of(error: FlyballError) -> HTTPStatus:
    for kind, status in _STATUS:
        if isinstance(error, kind):
            return status
    return HTTPStatus.INTERNAL_SERVER_ERROR


async def _expected(_: Request, error: Exception) -> Response:
    assert isinstance(error, FlyballError)
    code = error.code if isinstance(error, InvalidInput) else type(error).__name__.lower()
    members = {"field": error.field} if isinstance(error, InvalidInput) and error.field else {}
    headers = {"retry-after": "1"} if isinstance(error, StorageError) else None
    return problem(_status_of(error), str(error), code=code, headers=headers, **members)


async def _raised(_: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)
    return problem(
        error.status, error.detail, code=error.code, headers=error.headers, **error.members
    )


async def _framework(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers) if error.headers else None
    return problem(error.status_code, str(error.detail), headers=headers)


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = [
        {"at": "/".join(str(part) for part in item["loc"]), "what": str(item["msg"])}
        for item in error.errors()[:20]
    ]
    return problem(422, "The request does not have the documented form.", errors=errors)


async def _unexpected(request: Request, error: Exception) -> Response:
    structlog.get_logger("serving.rest").error(
        "request_failed", path=request.url.path, error=repr(error), exc_info=error
    )
    return problem(500, "This request failed inside Flyball; the log says why.", code="internal")


def install(app: FastAPI) -> None:
    """Make every error of ``app`` a problem document."""
    app.add_exception_handler(FlyballError, _expected)
    app.add_exception_handler(ProblemError, _raised)
    app.add_exception_handler(HTTPException, _framework)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _unexpected)
