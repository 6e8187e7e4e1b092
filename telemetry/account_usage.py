"""One tenant's use day by day, for the page about it: read from the tiles that exist.

Most days are read from the gathered file, where one tenant's lie together in one row group; the few
tiles that are newer than it are read themselves, and so are all of them before the first gathering.
Nothing is folded here.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from flyball.errors import StorageError
from flyball.home import Home
from flyball.instant import DAY_US
from telemetry.gathered_usage import GATHERED_COLUMNS, Gathered, GatheredUsage
from telemetry.parquet_file import parquet_relation
from telemetry.tile_columns import DAY_COLUMNS, empty_relation
from telemetry.tile_manifest import TileManifest

#: Days that arrive later than this after their event are not looked for.
_LATE_DAYS = 30
#: So many tiles beside the gathered file cost a page no more than the rest of it.
_FEW_TILES = 4


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
    """Reads one home's tiles for single tenants, from any thread."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._gathered = GatheredUsage(home)
        self._local = threading.local()
        # One database, so that what the files' footers say is kept once for all threads.
        self._database: Any = duckdb.connect()
        # People wait a little; workers must not.
        self._database.execute("SET threads = 1")
        self._database.execute("SET parquet_metadata_cache = true")

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
        tiles = self._tiles(first, last)
        gathered = self._gathered.current
        if gathered is not None and gathered.meters.issuperset(meters):
            try:
                return self._read(tenant_id, meters, first, last, tiles, gathered)
            except duckdb.Error:
                # Damaged, or replaced by another process: the tiles have everything.
                self._gathered.forget(gathered)
        try:
            return self._read(tenant_id, meters, first, last, tiles, None)
        except duckdb.Error as error:
            raise StorageError(f"Usage cannot be read: {error}.", "Try again.") from error

    def gather(self, meters: Collection[str], *, end_us: int, days: int) -> bool:
        """Gather what :meth:`days` asks for, if more than a few tiles are newer; whether it was.

        Seconds for large homes, so in the background only.

        Raises
        ------
        StorageError
            The tiles cannot be read, or the gathered file not be written, or this was closed.
        """
        last = end_us // DAY_US
        tiles = self._tiles(last - days + 1, last)
        current = self._gathered.current
        held = current.tiles if current is not None and current.meters.issuperset(meters) else {}
        if sum(held.get(day) != name for day, name in tiles.items()) <= _FEW_TILES:
            return False
        self._gathered.gather(tiles, meters)
        return True

    def close(self) -> None:
        """Break off a gathering that is under way: a process must not end in the midst of it."""
        self._gathered.close()

    def _tiles(self, first: int, last: int) -> dict[int, str]:
        """Arrival day to file name of the day tiles that may tell about ``first`` to ``last``."""
        return {
            day: tile.name
            for (relation, day), tile in TileManifest(self._home).tiles().items()
            if relation == "day" and first <= day <= last + _LATE_DAYS
        }

    def _read(
        self,
        tenant_id: str,
        meters: Sequence[str],
        first: int,
        last: int,
        tiles: dict[int, str],
        gathered: Gathered | None,
    ) -> list[DayUsage]:
        held = gathered.tiles if gathered is not None else {}
        paths = [
            path
            for day, name in sorted(tiles.items())
            if held.get(day) != name and (path := self._home.tiles / "day" / name).exists()
        ]
        source = parquet_relation(paths, GATHERED_COLUMNS, empty_relation(DAY_COLUMNS))
        if not paths:
            source = f"SELECT {GATHERED_COLUMNS} FROM ({source})"
        if gathered is not None:
            replaced = [day for day, name in held.items() if tiles.get(day) != name]
            whole = parquet_relation([gathered.path], GATHERED_COLUMNS, "")
            source += (
                f" UNION ALL {whole} WHERE NOT list_contains({replaced}::BIGINT[], arrival_day)"
            )
        rows = self._cursor().execute(
            "SELECT event_day, meter, sum(quantity_sum), "
            f"max(share_peak) FILTER (window_count > 0) FROM ({source}) "
            "WHERE tenant_id = ? AND event_day BETWEEN ? AND ? "
            "AND list_contains(?, meter) GROUP BY ALL ORDER BY ALL",
            [tenant_id, first, last, list(meters)],
        )
        return [DayUsage(int(day), meter, q, peak) for day, meter, q, peak in rows.fetchall()]

    def _cursor(self) -> Any:
        cursor = getattr(self._local, "cursor", None)
        if cursor is None:
            cursor = self._local.cursor = self._database.cursor()
        return cursor
