"""Signing in through the provider: there, back, and out."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import secrets
from dataclasses import asdict, dataclass

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from console.access.openid_fetch import ProviderFailed
from console.access.openid_person import NotLetIn, person_of
from console.access.openid_provider import OpenIdProvider
from console.access.openid_settings import loopback
from console.access.openid_token import TokenInvalid
from console.access.pages import HOME, open_session, sign_in_address
from console.design.flash import own_address
from console.design.pages import page
from console.desk import desk_of
from flyball.errors import Refused
from ledger.users import User

#: Ties the way back to the browser that set out.
COOKIE = "flyball_openid"
_PATH = "/console/openid"
_MINUTES = 10
_MOST = 4_096


@dataclass(frozen=True, slots=True)
class Attempt:
    """One sign-in under way, kept by the browser that began it."""

    state: str
    nonce: str
    verifier: str
    back: str


class _Stopped(Refused):
    """The way back does not lead in; ``reason`` is for the log."""

    def __init__(self, reason: str, message: str, hint: str) -> None:
        super().__init__(message, hint)
        self.reason = reason


def routes(provider: OpenIdProvider) -> APIRouter:
    """The routes of signing in through ``provider``; nobody needs to be signed in for them."""
    router = APIRouter(prefix=_PATH)

    @router.get("/start")
    def start(request: Request) -> Response:
        asked = request.query_params.get("next", "")
        attempt = Attempt(
            state=secrets.token_urlsafe(32),
            nonce=secrets.token_urlsafe(32),
            verifier=secrets.token_urlsafe(32),
            back=asked if own_address(asked) and len(asked) < 2_000 else HOME,
        )
        try:
            address = provider.way_in(
                state=attempt.state, nonce=attempt.nonce, verifier=attempt.verifier,
                redirect_uri=_here(request, "/callback"),
            )  # fmt: skip
        except ProviderFailed as error:
            return _silent(request, provider, error)
        answer = RedirectResponse(address, status_code=303)
        answer.set_cookie(
            COOKIE, _written(attempt), max_age=_MINUTES * 60, path=_PATH, httponly=True,
            samesite="lax", secure=desk_of(request).settings.secure,
        )  # fmt: skip
        return answer

    @router.get("/callback")
    def callback(request: Request) -> Response:
        attempt = _read(request.cookies.get(COOKIE, ""))
        answer = _entered(request, provider, attempt)
        # A code and a state are good for one try.
        answer.delete_cookie(COOKIE, path=_PATH)
        return answer

    @router.get("/leave")
    def leave(request: Request) -> Response:
        door = _here(request, "").removesuffix(_PATH) + "/console/sign-in"
        try:
            address = provider.way_out(redirect_uri=door)
        except ProviderFailed as error:
            return _silent(request, provider, error)
        return RedirectResponse(address or door, status_code=303)

    return router


def _entered(request: Request, provider: OpenIdProvider, attempt: Attempt | None) -> Response:
    back, name = attempt.back if attempt is not None else "", provider.settings.name
    try:
        user = _user(request, provider, attempt)
    except _Stopped as stop:
        return _refused(request, stop.reason, stop.message, stop.hint, back=back)
    except NotLetIn as error:
        return _refused(request, "not let in", error.message, error.hint, back=back)
    except TokenInvalid as error:
        return _refused(
            request, str(error), f"What {name} says about you cannot be believed.",
            "Begin again. If it stays, your administrator finds the reason in the console's log.",
            back=back,
        )  # fmt: skip
    except ProviderFailed as error:
        return _silent(request, provider, error)
    answer = RedirectResponse(back, status_code=303)
    open_session(desk_of(request), user, answer)
    return answer


def _user(request: Request, provider: OpenIdProvider, attempt: Attempt | None) -> User:
    given, name = request.query_params, provider.settings.name
    state = given.get("state", "").encode("utf-8", "replace")
    if attempt is None or not hmac.compare_digest(state, attempt.state.encode()):
        raise _Stopped(
            "state", "This sign-in is too old, or was begun in another window.",
            "Nothing is wrong with your login: begin again.",
        )  # fmt: skip
    if given.get("iss", provider.settings.issuer) != provider.settings.issuer:
        raise _Stopped(
            "iss", "The answer came from another provider.",
            "Begin again, and tell your administrator if it stays.",
        )  # fmt: skip
    code = given.get("code", "")
    if "error" in given or not 1 <= len(code) <= _MOST:
        stopped = given.get("error") == "access_denied"
        raise _Stopped(
            given.get("error", "no code")[:64],
            f"Signing in at {name} was stopped." if stopped else f"{name} could not sign you in.",
            f"Begin again; if it stays, ask whoever runs {name} whether you may use Flyball.",
        )
    claims = provider.claims(
        code, nonce=attempt.nonce, verifier=attempt.verifier,
        redirect_uri=_here(request, "/callback"),
    )  # fmt: skip
    desk = desk_of(request)
    return person_of(desk.ledger, provider.settings, claims, now_us=desk.wall_us())


def _here(request: Request, path: str) -> str:
    """This console's own address as the provider knows it, never one that a stranger names."""
    public = desk_of(request).settings.public_url.rstrip("/")
    if not public:
        # Without a public address the console listens on this machine alone.
        host = request.url.hostname or ""
        public = f"{request.url.scheme}://{request.url.netloc}" if loopback(host) else ""
    return f"{public}{_PATH}{path}"


def _silent(request: Request, provider: OpenIdProvider, error: ProviderFailed) -> Response:
    name = provider.settings.name
    return _refused(
        request, str(error), f"{name} does not answer as it should.",
        "Try again in a minute. If it stays, your administrator finds the reason in the console's "
        "log.", status=502,
    )  # fmt: skip


def _refused(
    request: Request, reason: str, text: str, hint: str, *, back: str = "", status: int = 403
) -> Response:
    structlog.get_logger("console").warning("openid_refused", reason=reason)
    return page(
        request, "access/not_in.html", status=status, text=text, hint=hint,
        door=sign_in_address(back),
    )  # fmt: skip


def _written(attempt: Attempt) -> str:
    return base64.urlsafe_b64encode(json.dumps(asdict(attempt)).encode()).decode()


def _read(text: str) -> Attempt | None:
    try:
        found = json.loads(base64.urlsafe_b64decode(text.encode()))
        attempt = Attempt(**found)
    except (ValueError, TypeError, binascii.Error, RecursionError):
        return None
    parts = (attempt.state, attempt.nonce, attempt.verifier, attempt.back)
    usable = all(isinstance(part, str) and len(part) > 20 for part in parts[:3])
    return attempt if usable and isinstance(parts[3], str) and own_address(parts[3]) else None
