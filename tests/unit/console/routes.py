"""What the console answers to, read from its router, so that no new page can be forgotten."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, cast

from fastapi import FastAPI
from starlette.routing import Route

from console.application import create_console
from console.desk import Desk
from console.settings import ConsoleSettings

#: Routes that answer with no page of ours: files, what machines ask, where a provider sends people.
NO_PAGES = {
    "/console/accounts.csv", "/console/audit.csv", "/console/healthz",
    "/console/openid/start", "/console/openid/callback", "/console/openid/leave",
}  # fmt: skip


def routes_of(application: FastAPI) -> Iterator[tuple[str, str]]:
    """Method and path of every route below /console."""
    for route in _flat(application.routes):
        if route.path.startswith("/console/"):
            for method in sorted((route.methods or set()) - {"HEAD"}):
                yield method, route.path


def _flat(routes: Any) -> Iterator[Route]:
    for route in routes:
        if isinstance(route, Route):
            yield route
        elif hasattr(route, "effective_candidates") or hasattr(route, "original_router"):
            yield from _flat(route.original_router.routes)


@lru_cache(maxsize=1)
def _console() -> FastAPI:
    return create_console(cast(Desk, SimpleNamespace(settings=ConsoleSettings())))


def pages(names: Mapping[str, str]) -> list[str]:
    """The address of every page, with ``names`` for the parameters in paths.

    A parameter that ``names`` does not know is a KeyError: a new page needs something to show.
    """
    paths = [path for method, path in routes_of(_console()) if method == "GET"]
    found = [re.sub(r"\{([a-z_]+)\}", lambda at: names[at[1]], path) for path in paths
             if path not in NO_PAGES]  # fmt: skip
    assert len(found) >= 20, found
    return found
