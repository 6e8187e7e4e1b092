"""The DuckDB connection that features are computed in, for one pass over many tenants."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cache
from typing import Any

import duckdb
import pyarrow as pa

from features.catalogue import feature_sql
from features.executor import compute
from flyball.home import Home
from flyball.instant import DAY_US, HOUR_US, hour_of
from ledger.relations import RelationSource, limit_table, register_relations
from telemetry.tiles import Tiles

#: Thread count of a pass; more would take the cores from the workers.
THREADS = 2


@cache
def lookback_days() -> int:
    """How many days before the as-of day the features' SQL reads usage of."""
    found = re.findall(r"\$first_day - (\d+)", feature_sql())
    return max((int(days) for days in found), default=400)


def open_connection() -> Any:
    """An empty in-memory DuckDB connection for features."""
    return duckdb.connect(config={"threads": THREADS})


def connect(
    home: Home,
    ledger: RelationSource,
    *,
    as_of_us: int,
    tenants: Collection[str] | None = None,
) -> Any:
    """A connection with every relation that features at ``as_of_us`` read, ``spine`` apart.

    Rows after the as-of time may be in it: the executor leaves them out.
    """
    connection = open_connection()
    register_relations(connection, ledger, tenants)
    register_usage(connection, home, ledger, as_of_us=as_of_us)
    return connection


def register_usage(connection: Any, home: Home, ledger: RelationSource, *, as_of_us: int) -> None:
    """Create ``usage_hour`` and ``usage_day`` with what the as-of time's hour needs."""
    tiles = Tiles(home, limit_table(ledger))
    tiles.register(connection, now_us=as_of_us, as_of_hours=(hour_of(as_of_us),))


def features_at(connection: Any, tenants: Collection[str], as_of_hour: int) -> pa.Table:
    """The feature table of ``tenants`` (distinct) at one as-of hour, in order of tenant."""
    names = sorted(tenants)
    spine = pa.table(
        {
            "tenant_id": pa.array(names, pa.string()),
            "as_of_hour": pa.array([as_of_hour] * len(names), pa.int64()),
        }
    )
    connection.register("spine", spine)
    try:
        return compute(connection)
    finally:
        connection.unregister("spine")


def newest_arrival_us(connection: Any, as_of_hour: int) -> int | None:
    """End of the newest hour (or day) before the as-of hour in which any usage arrived.

    None where none ever did. This is how fresh the features can be at all: when ingest has stopped,
    everybody's features grow old together; a tenant that is merely idle has fresh ones.
    """
    found = connection.execute(
        f"SELECT greatest((SELECT max(arrival_hour + 1) * {HOUR_US} FROM usage_hour"
        f" WHERE arrival_hour < {as_of_hour}), (SELECT max(arrival_day + 1) * {DAY_US}"
        f" FROM usage_day WHERE arrival_day < {as_of_hour // 24}))"
    ).fetchall()[0][0]
    return None if found is None else min(int(found), as_of_hour * HOUR_US)
