"""One tenant's use day by day, for the page about it: read from the day tiles that exist.

Tiles are sorted by tenant, so a query touches one row group of each day's file; what the files'
footers say is kept by the connection. Nothing is folded here.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from flyball.errors import StorageError
from flyball.home import Home
from flyball.instant import DAY_US
from telemetry.parquet_file import parquet_relation
from telemetry.tile_columns import DAY_COLUMNS, empty_relation
from telemetry.tile_manifest import TileManifest

#: Days that arrive later than this after their event are not looked for.
_LATE_DAYS = 30


@dataclass(frozen=True, slots=True)
class DayUsage:
    """One day of one meter.

    ``quantity`` is the day's sum in the meter's unit; ``peak_share`` the busiest limit window's
    demand ÷ the base limit then in force (≥ 0; None where the meter has no limit or the source is
    too coarse to tell).
    """

    day: int
    meter: str
    quantity: float
    peak_share: float | None


class AccountUsage:
    """Reads one home's tiles for single tenants; every thread has a connection of its own."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._local = threading.local()

    def days(
        self, tenant_id: str, meters: Sequence[str], *, end_us: int, days: int
    ) -> list[DayUsage]:
        """Days with use of ``meters`` among the ``days`` up to the one of ``end_us``, oldest first.

        Raises
        ------
        StorageError
            The tiles cannot be read.
        """
        last = end_us // DAY_US
        first = last - days + 1
        tiles = TileManifest(self._home).read(unsealed=False).tiles
        paths = [
            path
            for (relation, day), tile in sorted(tiles.items())
            if relation == "day"
            and first <= day <= last + _LATE_DAYS
            and (path := self._home.tiles / "day" / tile.name).exists()
        ]
        listed = "tenant_id, meter, event_day, quantity_sum, window_count, share_peak"
        source = parquet_relation(paths, listed, empty_relation(DAY_COLUMNS))
        try:
            rows = self._connection().execute(
                "SELECT event_day, meter, sum(quantity_sum), "
                f"max(share_peak) FILTER (window_count > 0) FROM ({source}) "
                "WHERE tenant_id = ? AND event_day BETWEEN ? AND ? "
                "AND list_contains(?, meter) GROUP BY ALL ORDER BY ALL",
                [tenant_id, first, last, list(meters)],
            )
            return [DayUsage(int(day), meter, q, peak) for day, meter, q, peak in rows.fetchall()]
        except duckdb.Error as error:
            raise StorageError(f"Usage cannot be read: {error}.", "Try again.") from error

    def _connection(self) -> Any:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = duckdb.connect()
            # People wait a little; workers must not.
            connection.execute("SET threads = 1")
            connection.execute("SET parquet_metadata_cache = true")
            self._local.connection = connection
        return connection
