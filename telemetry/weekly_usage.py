"""How much each tenant used week by week, and when it was last heard of: for people, not features.

Read from the day tiles that exist, which the control loop keeps folded; nothing is folded here.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from flyball.home import Home
from flyball.instant import DAY_US
from telemetry.parquet_file import parquet_relation
from telemetry.tile_columns import DAY_COLUMNS, empty_relation
from telemetry.tile_manifest import TileManifest

#: Days that arrive later than this after their event are not looked for.
_LATE_DAYS = 30


@dataclass(frozen=True, slots=True)
class WeeklyUsage:
    """One tenant's use of one meter: ``weeks`` sums by week, oldest first; newest event's time."""

    tenant_id: str
    meter: str
    last_us: int
    weeks: tuple[float, ...]


def day_tile_names(home: Home) -> frozenset[str]:
    """Names of the day tiles that count: while they are the same, so is what they say."""
    tiles = TileManifest(home).tiles()
    return frozenset(tile.name for (relation, _), tile in tiles.items() if relation == "day")


def weekly_usage(home: Home, *, end_us: int, weeks: int) -> list[WeeklyUsage]:
    """Every tenant's sums per meter over the ``weeks`` weeks before the day of ``end_us``.

    Each week has seven whole days; the day of ``end_us`` itself, which is not over, is left out of
    the sums but not of ``last_us``.

    Raises
    ------
    StorageError
        The event log cannot be read.
    """
    end_day = end_us // DAY_US
    start_day = end_day - 7 * weeks
    tiles = TileManifest(home).tiles()
    names = [
        tile.name
        for (relation, day), tile in sorted(tiles.items())
        if relation == "day" and start_day <= day <= end_day + _LATE_DAYS
    ]
    paths = [path for name in names if (path := home.tiles / "day" / name).exists()]
    listed = "tenant_id, meter, event_day, quantity_sum, last_at_us"
    source = parquet_relation(paths, listed, empty_relation(DAY_COLUMNS))
    sums = ", ".join(
        f"coalesce(sum(quantity_sum) FILTER (event_day >= {start_day + 7 * week}"
        f" AND event_day < {start_day + 7 * (week + 1)}), 0)"
        for week in range(weeks)
    )
    connection = duckdb.connect()
    try:
        # People wait a little; workers must not.
        connection.execute("SET threads = 1")
        rows = connection.execute(
            f"SELECT tenant_id, meter, max(last_at_us), [{sums}] FROM ({source})"
            f" WHERE event_day >= {start_day} GROUP BY tenant_id, meter"
        ).fetchall()
    finally:
        connection.close()
    return [WeeklyUsage(row[0], row[1], int(row[2]), tuple(row[3])) for row in rows]
