"""What the tiles are made of, and which tile files count, read in one consistent look."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from flyball.home import Home
from flyball.instant import DAY_US, SECOND_US
from flyball.meter import STANDARD_METERS, Meter
from telemetry.database import open_database, storage_errors, transaction
from telemetry.file_lock import directory_lock
from telemetry.history_files import HistoryFile, list_files
from telemetry.meter_table import read_meters

#: Replaced tile files stay this long for readers that still name them.
GARBAGE_AGE_US = 3_600 * SECOND_US

RAW_SCHEMA = pa.schema(
    [
        ("tenant_id", pa.string()),
        ("meter", pa.string()),
        ("time_us", pa.int64()),
        ("arrived_us", pa.int64()),
        ("quantity", pa.float64()),
    ]
)

_UNSEALED = """SELECT tenant_id, meter, time_us, arrived_us, quantity FROM event
WHERE sequence > (SELECT value FROM state WHERE name = 'sealed') ORDER BY sequence"""


@dataclass(frozen=True, slots=True)
class TileFile:
    """A tile file that counts: of one relation (``hour`` or ``day``) and one arrival day."""

    relation: str
    arrival_day: int
    fingerprint: str
    name: str
    row_count: int


@dataclass(slots=True)
class TileState:
    """One consistent look: history files, meters, tiles and events that are not sealed yet.

    ``tiles`` maps (relation, arrival day) to the file that counts; ``sequence`` is the newest event
    seen and ``history_version`` grows whenever the history's files change.
    """

    files: list[HistoryFile] = field(default_factory=list)
    meters: dict[str, Meter] = field(default_factory=lambda: dict(STANDARD_METERS))
    tiles: dict[tuple[str, int], TileFile] = field(default_factory=dict)
    unsealed: Any = field(default_factory=RAW_SCHEMA.empty_table)
    sequence: int = 0
    history_version: int = 0

    @property
    def unsealed_days(self) -> set[int]:
        """Arrival days of the events that are not sealed yet."""
        arrived = self.unsealed.column("arrived_us").to_numpy()
        happened = self.unsealed.column("time_us").to_numpy()
        return {int(day) for day in np.unique(np.maximum(arrived, happened) // DAY_US)}


class TileManifest:
    """Reads and writes which tile files count."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def read(self, *, unsealed: bool = True) -> TileState:
        """Everything as of one moment; empty for a home without an event log."""
        if not self._home.events.exists():
            return TileState()
        connection = open_database(self._home.events, read_only=True)
        try:
            with storage_errors(self._home.events):
                connection.execute("BEGIN")
                return _read(connection, unsealed=unsealed)
        finally:
            connection.close()

    def tiles(self) -> dict[tuple[str, int], TileFile]:
        """Only which files count; empty for a home without an event log."""
        if not self._home.events.exists():
            return {}
        connection = open_database(self._home.events, read_only=True)
        try:
            with storage_errors(self._home.events):
                return _tiles(connection)
        finally:
            connection.close()

    @contextmanager
    def writing(self) -> Iterator[TileState]:
        """Like :meth:`read` without unsealed events, while no other process changes tiles."""
        with directory_lock(self._home.tiles):
            open_database(self._home.events).close()
            self._collect_garbage()
            yield self.read(unsealed=False)

    def replace(self, files: Iterable[TileFile]) -> None:
        """Make ``files`` count instead of those of the same relation and day."""
        with self._changing() as connection:
            for file in files:
                _discard(connection, file.relation, file.arrival_day, keep=file.name)
                connection.execute(
                    "INSERT OR REPLACE INTO tile_file VALUES (?,?,?,?,?)", astuple(file)
                )

    def drop(self, keys: Iterable[tuple[str, int]]) -> None:
        """Make the tiles of these (relation, arrival day) count no longer."""
        with self._changing() as connection:
            for relation, day in keys:
                _discard(connection, relation, day, keep="")
                connection.execute(
                    "DELETE FROM tile_file WHERE relation = ? AND arrival_day = ?", (relation, day)
                )

    @contextmanager
    def _changing(self) -> Iterator[Any]:
        connection = open_database(self._home.events)
        try:
            with storage_errors(self._home.events), transaction(connection):
                yield connection
        finally:
            connection.close()

    def _collect_garbage(self) -> None:
        """Remove what was replaced long ago, and what no manifest names."""
        before = time.time_ns() // 1_000 - GARBAGE_AGE_US
        with self._changing() as connection:
            named = set(connection.execute("SELECT relation, name FROM tile_file"))
            recent = {
                row[0]
                for row in connection.execute(
                    "SELECT path FROM garbage WHERE since_us > ?", (before,)
                )
            }
            connection.execute("DELETE FROM garbage WHERE since_us <= ?", (before,))
        for relation in ("hour", "day"):
            directory: Path = self._home.tiles / relation
            for path in directory.iterdir() if directory.is_dir() else ():
                if (relation, path.name) not in named and f"{relation}/{path.name}" not in recent:
                    path.unlink(missing_ok=True)


def _discard(connection: Any, relation: str, day: int, *, keep: str) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO garbage SELECT relation || '/' || name, ? FROM tile_file"
        " WHERE relation = ? AND arrival_day = ? AND name <> ?",
        (time.time_ns() // 1_000, relation, day, keep),
    )


def _read(connection: Any, *, unsealed: bool) -> TileState:
    state = dict(connection.execute("SELECT name, value FROM state"))
    return TileState(
        files=list_files(connection),
        meters=read_meters(connection),
        tiles=_tiles(connection),
        unsealed=_table(connection) if unsealed else RAW_SCHEMA.empty_table(),
        sequence=state["sequence"],
        history_version=state["history"],
    )


def _tiles(connection: Any) -> dict[tuple[str, int], TileFile]:
    found = [TileFile(*row) for row in connection.execute("SELECT * FROM tile_file")]
    return {(tile.relation, tile.arrival_day): tile for tile in found}


def _table(connection: Any) -> Any:
    columns = list(zip(*connection.execute(_UNSEALED), strict=True)) or [()] * len(RAW_SCHEMA)
    return pa.table(
        [
            pa.array(values, type=kind.type)
            for values, kind in zip(columns, RAW_SCHEMA, strict=True)
        ],
        schema=RAW_SCHEMA,
    )
