"""One message for the next page: what was done, or why it was not."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

COOKIE = "flyball_said"
_MOST = 600


@dataclass(frozen=True, slots=True)
class Said:
    """A message; ``good`` tells success from refusal."""

    text: str
    good: bool = True


def moved_on(request: Request, address: str, text: str = "", *, good: bool = True) -> Response:
    """Send the browser to one of our own addresses, with a message for the page there."""
    target = address if own_address(address) else "/console/"
    answer: Response
    if request.headers.get("hx-request") == "true":
        answer = Response(status_code=204, headers={"HX-Redirect": target})
    else:
        answer = RedirectResponse(target, status_code=303)
    if text:
        raw = json.dumps([text[:_MOST], good]).encode()
        answer.set_cookie(
            COOKIE, base64.urlsafe_b64encode(raw).decode(), max_age=60, path="/console",
            httponly=True, samesite="lax",
        )  # fmt: skip
    return answer


def said(request: Request) -> Said | None:
    """The message that waits for this page."""
    raw = request.cookies.get(COOKIE, "")
    if not raw or len(raw) > 4 * _MOST:
        return None
    try:
        text, good = json.loads(base64.urlsafe_b64decode(raw))
    except (ValueError, TypeError, binascii.Error):
        return None
    return Said(str(text)[:_MOST], bool(good))


def own_address(address: str) -> bool:
    """Whether ``address`` is a path of ours: never another site's, however it is spelt."""
    fine = address.startswith("/console/") and "\\" not in address and "//" not in address[:10]
    return fine and address.isprintable()
