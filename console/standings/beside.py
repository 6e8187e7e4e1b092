"""The standings with the ledger beside them, for questions that need both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import apsw

from console.access.tenants import AccessibleTenants
from flyball.home import Home
from ledger.sqlite_connection import storage_errors

#: Views over all accounts touch most pages of the ledger in no order: mapped, they cost half.
_MAPPED_BYTES = 1 << 30

#: What a statement may bind besides the scope.
Values = Mapping[str, object]


class Beside:
    """A connection that reads ``standing`` and, as ``ledger.*``, every table of the ledger.

    ``{scope}`` in a statement becomes the condition on rows of ``standing`` that leaves exactly the
    tenants given: no statement about tenants can be asked without saying whose.
    """

    def __init__(self, connection: Any, accessible: AccessibleTenants) -> None:
        self._connection = connection
        condition, bound = accessible.condition()
        for at in range(len(bound)):
            condition = condition.replace("?", f":scope_{at}", 1)
        self._condition = condition
        self._bound = {f"scope_{at}": value for at, value in enumerate(bound)}

    def rows(self, sql: str, values: Values | None = None) -> list[tuple[Any, ...]]:
        """All rows of one statement."""
        asked = sql.replace("{scope}", self._condition)
        found: list[tuple[Any, ...]] = self._connection.execute(
            asked, {**self._bound, **(values or {})}
        ).fetchall()
        return found


@contextmanager
def beside_ledger(home: Home, accessible: AccessibleTenants) -> Iterator[Beside]:
    """Read both files for one page, about the tenants given; raises StorageError."""
    with storage_errors(home.standings):
        connection = apsw.Connection(
            str(home.standings), flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
        )
        try:
            connection.set_busy_timeout(2_000)
            connection.execute("ATTACH ? AS ledger", (f"{home.ledger.resolve().as_uri()}?mode=ro",))
            for schema in ("main", "ledger"):
                connection.pragma("mmap_size", _MAPPED_BYTES, schema=schema)
            yield Beside(connection, accessible)
        finally:
            connection.close()
