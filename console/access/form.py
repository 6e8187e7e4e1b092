"""Forms: read once, and only if they come from our own page."""

from __future__ import annotations

import hmac
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request
from starlette.datastructures import FormData

from console.access.visitor import NotAllowed, Signed

#: Larger forms are refused before they are read whole.
MAX_FORM_BYTES = 256 * 1024
FIELD = "csrf"


class ForgedForm(NotAllowed):
    """The form did not come from one of our pages, or its session is over."""


def check_origin(request: Request) -> None:
    """Refuse what another site made the browser send."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise ForgedForm
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host", ""):
        raise ForgedForm


async def read_form(request: Request) -> FormData:
    """The form's fields; files and oversized forms are refused."""
    check_origin(request)
    length = request.headers.get("content-length", "")
    if not length.isdigit() or int(length) > MAX_FORM_BYTES:
        raise ForgedForm
    return await request.form(max_files=0, max_fields=2_000)


async def checked_form(request: Request, visitor: Signed) -> FormData:
    """The fields of a form that carries the session's token; raises ForgedForm otherwise."""
    form = await read_form(request)
    token = form.get(FIELD)
    if not isinstance(token, str) or not hmac.compare_digest(
        token.encode("utf-8", "replace"), visitor.session.csrf.encode()
    ):
        raise ForgedForm
    return form


#: A dependency: the checked form of a signed-in visitor. Every POST route asks for it.
CheckedForm = Annotated[FormData, Depends(checked_form)]


def text_of(form: FormData, name: str, *, most: int = 2_000) -> str:
    """One field as stripped text; empty where it is missing, cut after ``most`` characters."""
    value = form.get(name, "")
    return value.strip()[:most] if isinstance(value, str) else ""
