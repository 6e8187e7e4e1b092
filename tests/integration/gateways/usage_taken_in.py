"""What a real `flyball serve` has taken in of gateways' usage."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from tests.integration.node.server import Server


def taken_in(server: Server) -> list[tuple[str, str, float]]:
    """What the service has; these tenants have no account there, so it is pending."""
    try:
        with closing(sqlite3.connect(f"file:{server.home.events}?mode=ro", uri=True)) as database:
            rows = database.execute("SELECT name, meter, quantity FROM pending").fetchall()
    except sqlite3.OperationalError:  # nothing has arrived yet
        return []
    return [(str(subject), str(meter), float(quantity)) for subject, meter, quantity in rows]


def total(server: Server, tenant: str, meter: str) -> float:
    return sum(q for name, what, q in taken_in(server) if (name, what) == (tenant, meter))
