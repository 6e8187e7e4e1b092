"""Running the fold in a DuckDB connection: raw events in, hour and day tiles out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from flyball.meter import Meter
from telemetry.tile_sql import USAGE_DAY, USAGE_HOUR, statements

#: Schema of the relation that says which limit a tenant's primary meter had from which hour on.
LIMIT_SCHEMA = pa.schema(
    [
        ("tenant_id", pa.string()),
        ("meter", pa.string()),
        ("from_hour", pa.int64()),
        ("base_limit", pa.int64()),
        ("window_seconds", pa.int64()),
    ]
)

_HOUR_SECONDS = 3_600

_LIMIT_SPAN = """
CREATE OR REPLACE TEMP TABLE limit_span AS
SELECT tenant_id, meter, from_hour, base_limit, window_seconds,
       lead(from_hour, 1, 9223372036854775807)
           OVER (PARTITION BY tenant_id ORDER BY from_hour) AS to_hour
FROM limit_in_force_input WHERE base_limit IS NOT NULL
"""

_TILES = {"hour": USAGE_HOUR, "day": USAGE_DAY}


def prepare(connection: Any, limits: Any, meters: Mapping[str, Meter]) -> None:
    """Load limits and kinds of meters, which every fold in ``connection`` then uses.

    Parameters
    ----------
    limits:
        pyarrow table of :data:`LIMIT_SCHEMA`.
    """
    connection.register("limit_in_force_input", limits)
    connection.execute(_LIMIT_SPAN)
    connection.unregister("limit_in_force_input")
    kinds = pa.table(
        {
            "meter": [m.name for m in meters.values()],
            "counts": [m.counts for m in meters.values()],
            "resolution_seconds": [m.resolution_seconds for m in meters.values()],
        }
    )
    connection.register("meter_kind_input", kinds)
    connection.execute("CREATE OR REPLACE TEMP TABLE meter_kind AS FROM meter_kind_input")
    connection.unregister("meter_kind_input")


def fold(
    connection: Any,
    raw: str,
    limits: Any,
    meters: Mapping[str, Meter],
    *,
    relations: tuple[str, ...] = ("hour", "day"),
) -> None:
    """Fold the rows of the SQL ``raw`` into temporary tables ``hour_tile`` and ``day_tile``.

    Call :func:`prepare` first, with the same limits and meters.

    Parameters
    ----------
    raw:
        SQL with at least tenant_id, meter, time_us, arrived_us and quantity.
    relations:
        Which of the two to make.
    """
    connection.execute(f"CREATE OR REPLACE TEMP VIEW raw_usage AS {raw}")
    for statement in statements(**_kinds_of_windows(limits, meters)):
        connection.execute(statement)
    for relation in relations:
        connection.execute(_TILES[relation])


def _kinds_of_windows(limits: Any, meters: Mapping[str, Meter]) -> dict[str, bool]:
    """Which of the fold's steps there is work for; the others are left out."""
    kinds = limits.select(["meter", "window_seconds"]).group_by(["meter", "window_seconds"])
    pairs = [
        (meters[row["meter"]], row["window_seconds"])
        for row in kinds.aggregate([]).to_pylist()
        if row["meter"] in meters and row["window_seconds"] <= _HOUR_SECONDS
    ]
    return {
        "accepted": any(meter.counts == "accepted" for meter, _ in pairs),
        "fine": any(m.resolution_seconds <= window < _HOUR_SECONDS for m, window in pairs),
        "coarse": any(m.resolution_seconds > window for m, window in pairs),
    }
