"""Templates: made once, autoescaped, with what every page needs."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from console.design import band, chart, display, flash, words
from console.desk import desk_of
from ledger.kill import kill_state

if TYPE_CHECKING:
    from console.access.visitor import Visitor

_ROOT = Path(__file__).resolve().parent.parent
STATIC = _ROOT / "static"
THEMES = ("auto", "light", "dark")
THEME_COOKIE = "flyball_theme"


@lru_cache(maxsize=1)
def templates() -> Environment:
    """The environment of all templates; everything that is not markup is escaped."""
    made = Environment(
        loader=FileSystemLoader(_ROOT / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    for module in (display, words):
        for name in dir(module):
            tool = getattr(module, name)
            if callable(tool) and not name.startswith("_") and not isinstance(tool, type):
                made.filters[name] = tool
    made.globals.update(band=band, chart=chart, static=static_address)
    return made


@lru_cache(maxsize=64)
def static_address(name: str) -> str:
    """Where a static file lies, with a mark that changes with its content."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/console/static/{name}?v={digest}"


def theme_of(request: Request) -> str:
    """The visitor's choice of light or dark; ``auto`` follows the system."""
    chosen = request.cookies.get(THEME_COOKIE, "")
    return chosen if chosen in THEMES else "auto"


def page(
    request: Request,
    template: str,
    *,
    visitor: Visitor | None = None,
    status: int = 200,
    **context: Any,
) -> HTMLResponse:
    """Render ``template`` as the answer to ``request``.

    Every template sees ``visitor``, ``csrf``, ``now_us``, ``theme``, ``said`` (the message of the
    last move), ``here`` (path and query of this page), ``desk``, ``bands`` and ``killed`` (the kill
    switch's state while it is on, which every page says).
    """
    desk = desk_of(request)
    query = f"?{request.url.query}" if request.url.query else ""
    html = (
        templates()
        .get_template(template)
        .render(
            request=request,
            visitor=visitor,
            csrf=visitor.session.csrf if visitor is not None else "",
            now_us=desk.now_us(),
            theme=theme_of(request),
            said=(message := flash.said(request)),
            here=request.url.path + query,
            desk=desk,
            bands=desk.settings.bands,
            killed=kill_state(desk.home) if visitor is not None else None,
            **context,
        )
    )
    answer = HTMLResponse(html, status_code=status)
    answer.headers["Vary"] = "Cookie, HX-Request"
    if message is not None:
        answer.delete_cookie(flash.COOKIE, path="/console")
    return answer
