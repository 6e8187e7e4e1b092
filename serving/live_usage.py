"""Usage as the control loop holds it: closed days sorted by tenant on disk, today's raw events.

A tick costs what changed, not what there is: the rows of a few tenants are gathered by position
from a memory-mapped table, and only their events of today are folded again.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from flyball.home import Home
from flyball.instant import DAY_US, HOUR_US
from flyball.meter import STANDARD_METERS, Meter
from ledger.relations import RelationSource, limit_table, register_relations
from serving.relations import lookback_days, open_connection
from telemetry.database import open_database, storage_errors
from telemetry.history_files import history_relation
from telemetry.meter_table import read_meters
from telemetry.tile_fold import fold
from telemetry.tile_manifest import TileManifest
from telemetry.tiles import Tiles

_RAW = ("tenant_id", "meter", "time_us", "arrived_us", "quantity")
_RAW_SCHEMA = pa.schema(
    [
        ("tenant_id", pa.string()),
        ("meter", pa.string()),
        ("time_us", pa.int64()),
        ("arrived_us", pa.int64()),
        ("quantity", pa.float64()),
    ]
)
#: How the origin of imported history files begins.
_IMPORT = "import-"
_ROWS_A_BATCH = 1 << 16
#: Events taken in at a time; the rest is there at the next look.
_MOST_EVENTS = 100_000


@dataclass(frozen=True, slots=True)
class News:
    """What came in since the last look; ``reload`` where closed days have changed too."""

    tenants: frozenset[str]
    reload: bool


class LiveUsage:
    """The resident usage of one home, for as-of times on the day that was loaded.

    Parameters
    ----------
    home, ledger:
        Where events, history, tiles and limits come from.
    """

    def __init__(self, home: Home, ledger: RelationSource) -> None:
        self._home = home
        self._ledger = ledger
        self._log: Any = None
        self._connection = open_connection()
        self._day = -1
        self._cursor = 0
        self._imported: tuple[int, int] = (0, 0)
        self._newest_us: int | None = None
        self._closed = _ClosedDays.empty()

    @property
    def day(self) -> int:
        """The UTC day that was loaded; -1 before the first load."""
        return self._day

    @property
    def newest_arrival_us(self) -> int | None:
        """When the newest event arrived (µs); None where none ever did."""
        return self._newest_us

    def close(self) -> None:
        """Let go of memory and files."""
        self._connection.close()
        if self._log is not None:
            self._log.close()
            self._log = None

    def load(self, now_us: int) -> None:
        """Read everything that as-of times on the day of ``now_us`` need."""
        day = now_us // DAY_US
        state = TileManifest(self._home).read()
        closed = _ClosedDays.read(self._home, self._ledger, now_us)
        connection = open_connection()
        files = [file for file in state.files if day in file.arrivals]
        connection.register("unsealed", state.unsealed)
        columns = ", ".join(_RAW)
        connection.execute(
            f"CREATE TABLE raw_today AS SELECT {columns} FROM"
            f" (SELECT {columns} FROM ({history_relation(self._home, files)})"
            f" UNION ALL SELECT {columns} FROM unsealed)"
            f" WHERE greatest(arrived_us, time_us) // {DAY_US} = {day}"
        )
        connection.unregister("unsealed")
        newest = connection.execute("SELECT max(arrived_us) FROM raw_today").fetchall()[0][0]
        self._connection.close()
        self._connection = connection
        self._closed, self._day = closed, day
        self._newest_us = closed.newest_us if newest is None else newest
        imports = [file for file in state.files if file.origin.startswith(_IMPORT)]
        self._imported = (len(imports), sum(file.row_count for file in imports))
        self._cursor = state.sequence

    def follow(self) -> News:
        """Take in the events accepted since the last look."""
        rows, imported = self._accepted()
        reload = imported != self._imported
        today = []
        for *raw, sequence in rows:
            arrived_us = max(raw[2], raw[3])
            if arrived_us // DAY_US == self._day:
                today.append(raw)
            elif arrived_us // DAY_US < self._day:
                reload = True
            self._newest_us = max(self._newest_us or 0, raw[3])
            self._cursor = sequence
        self._append(today)
        return News(frozenset(row[0] for row in rows), reload)

    def _accepted(self) -> tuple[list[tuple[Any, ...]], tuple[int, int]]:
        """Rows accepted since the cursor with their sequence; files and rows ever imported.

        Sealing moves events to other files and changes nothing; an import adds what we have not
        seen.
        """
        if not self._home.events.exists():
            return [], self._imported
        if self._log is None:
            self._log = open_database(self._home.events, read_only=True)
        with storage_errors(self._home.events):
            imported = self._log.execute(
                "SELECT count(*), coalesce(sum(row_count), 0) FROM history_file"
                " WHERE origin LIKE ?",
                (_IMPORT + "%",),
            ).fetchall()
            rows = self._log.execute(
                f"SELECT {', '.join(_RAW)}, sequence FROM event WHERE sequence > ?"
                " ORDER BY sequence LIMIT ?",
                (self._cursor, _MOST_EVENTS),
            ).fetchall()
        return rows, imported[0]

    def _append(self, rows: list[list[Any]]) -> None:
        if not rows:
            return
        columns = zip(*rows, strict=True)
        arrays = [pa.array(c, type=f.type) for c, f in zip(columns, _RAW_SCHEMA, strict=True)]
        self._connection.register("arrived", pa.Table.from_arrays(arrays, schema=_RAW_SCHEMA))
        self._connection.execute(f"INSERT INTO raw_today SELECT {', '.join(_RAW)} FROM arrived")
        self._connection.unregister("arrived")

    def _meters(self) -> dict[str, Meter]:
        if self._log is None:
            return dict(STANDARD_METERS)
        with storage_errors(self._home.events):
            return read_meters(self._log)

    def connection_for(self, tenants: Collection[str] | None) -> Any:
        """The connection, with every relation that features of ``tenants`` (None: all) read.

        It stays this object's, and good until the next call.
        """
        connection = self._connection
        register_relations(connection, self._ledger, tenants)
        connection.register("usage_day", self._closed.rows(tenants))
        raw = f"SELECT {', '.join(_RAW)} FROM raw_today"
        if tenants is not None:
            connection.register("asked", pa.table({"tenant_id": sorted(tenants)}))
            raw += " WHERE tenant_id IN (SELECT tenant_id FROM asked)"
        today = connection.sql(raw).to_arrow_table()
        folded = fold(today, limit_table(self._ledger, tenants), self._meters())
        connection.register("usage_hour", folded.table("hour"))
        return connection


class _ClosedDays:
    """Day tiles of the days before today, sorted by tenant, in a mapped file."""

    def __init__(self, table: pa.Table, starts: dict[str, tuple[int, int]], newest: int) -> None:
        self._table = table
        self._starts = starts
        self.newest_us = newest * DAY_US if newest >= 0 else None

    @classmethod
    def empty(cls) -> _ClosedDays:
        """No day at all."""
        return cls(pa.table({}), {}, -1)

    @classmethod
    def read(cls, home: Home, ledger: RelationSource, now_us: int) -> _ClosedDays:
        """The days that features on the day of ``now_us`` look back on."""
        day = now_us // DAY_US
        connection = open_connection()
        try:
            tiles = Tiles(home, limit_table(ledger))
            tiles.register(connection, now_us=now_us, as_of_hours=())
            wanted = f"usage_day WHERE arrival_day < {day} AND event_day >= {day - lookback_days()}"
            counts = connection.execute(
                f"SELECT tenant_id, count(*) FROM {wanted} GROUP BY tenant_id ORDER BY tenant_id"
            ).fetchall()
            newest = connection.execute(
                f"SELECT max(arrival_day + 1) FROM usage_day WHERE arrival_day < {day}"
            ).fetchall()[0][0]
            reader = connection.sql(
                f"SELECT * FROM {wanted} ORDER BY tenant_id, meter, event_day, arrival_day"
            ).to_arrow_reader(_ROWS_A_BATCH)
            table = _mapped(reader)
        finally:
            connection.close()
        starts: dict[str, tuple[int, int]] = {}
        at = 0
        for tenant, count in counts:
            starts[tenant] = (at, count)
            at += count
        return cls(table, starts, -1 if newest is None else newest)

    def rows(self, tenants: Collection[str] | None) -> pa.Table:
        """The rows of ``tenants``; all of them for None."""
        if tenants is None:
            return self._table
        spans = [self._starts[name] for name in sorted(tenants) if name in self._starts]
        if not spans:
            return self._table.slice(0, 0)
        positions = np.concatenate([np.arange(at, at + count) for at, count in spans])
        return self._table.take(pa.array(positions))


def _mapped(reader: Any) -> pa.Table:
    """Write batches to a file that only this process knows, and map it."""
    with tempfile.TemporaryDirectory(prefix="flyball-usage-") as folder:
        path = Path(folder) / "usage_day.arrow"
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, reader.schema) as writer:
            for batch in reader:
                writer.write_batch(batch)
        # The mapping outlives the file's name.
        return pa.ipc.open_file(pa.memory_map(str(path))).read_all()


def as_of_hour_at(now_us: int, *, starts_period: bool) -> int:
    """The as-of hour of live features: the open hour counts.

    Except where a period's decisions are made: training sees those at the hour that the period
    starts, so that is what they must be based on.
    """
    return now_us // HOUR_US + (0 if starts_period else 1)
