"""The door: signing in and out. The only pages that nobody needs to be signed in for."""

from __future__ import annotations

import hmac
import secrets
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse, Response

from console.access.door import TooManyTries, sign_in
from console.access.form import FIELD, CheckedForm, ForgedForm, read_form, text_of
from console.access.visitor import COOKIE, Signed, visitor_of
from console.design.flash import moved_on, own_address
from console.design.pages import THEME_COOKIE, THEMES, page
from console.desk import Desk, desk_of
from flyball.errors import NotFound
from flyball.instant import HOUR_US
from ledger.users import User

#: Ties the sign-in form to the browser that asked for it, before there is a session.
DOOR_COOKIE = "flyball_door"
HOME = "/console/"


def sign_in_address(back: str) -> str:
    """Where to sign in so that one comes back to ``back``."""
    keep = back if own_address(back) and back != HOME else ""
    return "/console/sign-in" + (f"?{urlencode({'next': keep})}" if keep else "")


def routes() -> APIRouter:
    """The door's routes."""
    router = APIRouter()

    @router.get("/console/sign-in")
    def door(request: Request) -> Response:
        back = _back(request.query_params.get("next", ""))
        if visitor_of(desk_of(request), request.cookies.get(COOKIE, "")) is not None:
            return RedirectResponse(back, status_code=303)
        return _door(request, back)

    @router.post("/console/sign-in")
    async def enter(request: Request) -> Response:
        form = await read_form(request)
        if not desk_of(request).settings.oidc.passwords_taken:
            raise NotFound("Passwords are not taken here.", "Use the other way on the page.")
        expected, given = request.cookies.get(DOOR_COOKIE, ""), text_of(form, FIELD)
        if not expected or not hmac.compare_digest(expected.encode(), given.encode()):
            raise ForgedForm
        login, back = text_of(form, "login", most=64), _back(text_of(form, "next"))
        password = form.get("password", "")
        try:
            user = await run_in_threadpool(
                _checked, desk_of(request), login, str(password), _address(request)
            )
        except TooManyTries as error:
            return _door(request, back, login=login, wrong=str(error), status=429)
        if user is None:
            wrong = "That login and password do not fit together. Check both and try again."
            return _door(request, back, login=login, wrong=wrong, status=403)
        answer = RedirectResponse(back, status_code=303)
        await run_in_threadpool(open_session, desk_of(request), user, answer)
        return answer

    @router.post("/console/sign-out")
    def leave(request: Request, visitor: Signed, form: CheckedForm) -> Response:
        desk_of(request).ledger.end_session(request.cookies.get(COOKIE, ""))
        answer = RedirectResponse("/console/sign-in", status_code=303)
        answer.delete_cookie(COOKIE, path="/console")
        return answer

    @router.post("/console/theme")
    def theme(request: Request, visitor: Signed, form: CheckedForm) -> Response:
        chosen = text_of(form, "theme")
        answer = moved_on(request, _back(text_of(form, "back")))
        if chosen in THEMES:
            answer.set_cookie(
                THEME_COOKIE, chosen, max_age=365 * 86_400, path="/console", samesite="lax",
                secure=desk_of(request).settings.secure, httponly=True,
            )  # fmt: skip
        return answer

    return router


def open_session(desk: Desk, user: User, answer: Response) -> None:
    """Begin a session for ``user`` and put its cookie on ``answer``."""
    now_us = desk.wall_us()
    length_us = desk.settings.session_hours * HOUR_US
    text, _ = desk.ledger.open_session(
        user.user_id, login=user.login, now_us=now_us, expires_us=now_us + length_us
    )
    answer.set_cookie(
        COOKIE, text, max_age=desk.settings.session_hours * 3_600, path="/console",
        httponly=True, samesite="lax", secure=desk.settings.secure,
    )  # fmt: skip
    answer.delete_cookie(DOOR_COOKIE, path="/console")


def _checked(desk: Desk, login: str, password: str, address: str) -> User | None:
    return sign_in(desk.ledger, login, password, address=address, now_us=desk.wall_us())


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _back(address: str) -> str:
    return address if own_address(address) else HOME


def _door(
    request: Request, back: str, *, login: str = "", wrong: str = "", status: int = 200
) -> Response:
    token = request.cookies.get(DOOR_COOKIE, "")
    if not 20 <= len(token) <= 64 or not token.isascii():
        token = secrets.token_urlsafe(24)
    answer = page(
        request, "access/sign_in.html", status=status, back=back, login=login, wrong=wrong,
        token=token, oidc=desk_of(request).settings.oidc,
        onward=urlencode({"next": back} if back != HOME else {}),
    )  # fmt: skip
    answer.set_cookie(
        DOOR_COOKIE, token, max_age=3_600, path="/console", httponly=True, samesite="lax",
        secure=desk_of(request).settings.secure,
    )  # fmt: skip
    return answer
