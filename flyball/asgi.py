"""ASGI middleware for Python services, under the one name that outsiders import.

::

    from flyball.asgi import FlyballMiddleware, ThrottleSettings

    app.add_middleware(
        FlyballMiddleware,
        url="http://flyball:8080",
        key="/etc/flyball/signing.pub",
        directory="/var/lib/flyball-node",
        identify=lambda scope: scope["state"].get("tenant"),
    )

The code lives in ``serving``, which this package does not know; the names are looked up when they
are asked for (``docs/adr/0012-outsiders-import-flyball.md``). Types are in ``asgi.pyi``.
"""

from __future__ import annotations

import importlib

_WHERE = {
    "FlyballMiddleware": "serving.middleware.service",
    "ThrottleSettings": "serving.middleware.settings",
    "Tenancy": "serving.middleware.tenancy",
}


def __getattr__(name: str) -> object:
    """Load what an outsider asks for.

    Raises
    ------
    AttributeError
        There is no such name here.
    """
    where = _WHERE.get(name)
    if where is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(where), name)
