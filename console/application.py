"""The console as an ASGI application: rooms put together, errors as pages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio.to_thread
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from console import guide
from console.access import openid_door
from console.access import pages as door
from console.access.form import ForgedForm
from console.access.headers import SecureHeaders
from console.access.visitor import COOKIE, NotAllowed, NotSignedIn, Visitor, visitor_of
from console.account import routes as account
from console.administration import routes as administration
from console.book import routes as book
from console.design.pages import STATIC, page
from console.desk import Desk, desk_of
from console.digest import routes as digest
from console.say import routes as say
from console.team import routes as team
from flyball.errors import Conflict, FlyballError, InvalidInput, NotFound, Refused

#: Requests worked on at once: each may hold a connection to the ledger.
THREADS = 8


def create_console(desk: Desk) -> FastAPI:
    """The application over ``desk``; whoever makes the desk closes it."""
    application = FastAPI(
        title="Flyball console", docs_url=None, redoc_url=None, openapi_url=None,
        lifespan=_with_few_threads,
    )  # fmt: skip
    application.state.desk = desk
    for router in (
        door.routes(),
        book.routes(),
        account.routes(),
        say.routes(),
        team.routes(),
        digest.routes(),
        administration.routes(),
        guide.routes(),
    ):
        application.include_router(router)
    if desk.settings.oidc.configured:
        application.include_router(openid_door.routes(desk.settings.oidc))
    application.mount("/console/static", _Static(directory=STATIC))
    application.add_api_route("/", _to_console, include_in_schema=False)
    application.add_api_route("/console", _to_console, include_in_schema=False)
    application.add_api_route("/console/healthz", _healthy, include_in_schema=False)
    _handle_errors(application)
    application.add_middleware(SecureHeaders, secure=desk.settings.secure)
    return application


@asynccontextmanager
async def _with_few_threads(application: FastAPI) -> AsyncIterator[None]:
    anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
    yield


class _Static(StaticFiles):
    """Static files: addresses carry their content's mark, so browsers may keep them."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        answer: Response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        answer.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return answer


def _to_console() -> Response:
    return RedirectResponse("/console/", status_code=307)


def _healthy() -> Response:
    return PlainTextResponse("ok\n")


Handler = Callable[[Request, Exception], Response]


def _handle_errors(application: FastAPI) -> None:
    handlers: dict[type[Exception], Handler] = {
        NotSignedIn: _send_to_door,
        ForgedForm: _forged,
        NotAllowed: _not_allowed,
        NotFound: _told(404, "Not found"),
        InvalidInput: _told(422, "That did not fit"),
        Conflict: _told(409, "Somebody was faster"),
        Refused: _told(409, "That is not possible now"),
        FlyballError: _told(503, "The data cannot be read just now"),
        RequestValidationError: _told(422, "That address does not fit"),
        HTTPException: _http,
        Exception: _broken,
    }
    for kind, handler in handlers.items():
        application.add_exception_handler(kind, handler)


def visitor_if_any(request: Request) -> Visitor | None:
    """Who is there, for error pages; None also where that cannot be found out."""
    known: Visitor | None = getattr(request.state, "visitor", None)
    if known is not None:
        return known
    try:
        return visitor_of(desk_of(request), request.cookies.get(COOKIE, ""))
    except FlyballError:
        return None


def _send_to_door(request: Request, error: Exception) -> Response:
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    address = door.sign_in_address(here if request.method == "GET" else "")
    if request.headers.get("hx-request") == "true":
        return Response(status_code=204, headers={"HX-Redirect": address})
    return RedirectResponse(address, status_code=303)


def _error_page(request: Request, status: int, title: str, text: str, hint: str = "") -> Response:
    return page(
        request, "error.html", visitor=visitor_if_any(request), status=status, status_code=status,
        title=title, text=text, hint=hint,
    )  # fmt: skip


def _told(status: int, title: str) -> Handler:
    def handler(request: Request, error: Exception) -> Response:
        if isinstance(error, FlyballError):
            return _error_page(request, status, title, error.message, error.hint)
        return _error_page(request, status, title, "Something in the address is not understood.")

    return handler


def _forged(request: Request, error: Exception) -> Response:
    return _error_page(
        request, 403, "This form is too old",
        "It was opened before you signed in, or in another window. Nothing was changed.",
        "Go back, reload the page and send it again.",
    )  # fmt: skip


def _not_allowed(request: Request, error: Exception) -> Response:
    return _error_page(
        request, 403, "Not part of your role", "Your role does not include this page or move.",
        "Ask a lead or an administrator.",
    )  # fmt: skip


def _http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 404:
        return _error_page(request, 404, "Not found", "There is no such page.")
    if status == 405:
        return _error_page(request, 405, "Not this way", "This address takes a form, not a visit.")
    return _error_page(request, status, "That did not work", "The request was refused.")


def _broken(request: Request, error: Exception) -> Response:
    structlog.get_logger("console").error("page_failed", path=request.url.path, exc_info=error)
    return _error_page(
        request, 500, "Something broke on our side",
        "The page could not be made; it was logged. Decisions are served by another process and go "
        "on.", "Try again, and tell your administrator if it stays.",
    )  # fmt: skip
