"""The day tiles of a quarter in one file sorted by tenant, so that one account's days lie together.

Tiles are files by day: one tenant's quarter is spread over 84 of them, and opening and decoding so
many costs a quarter of a second at 50,000 tenants. Gathered, the same rows are one row group. The
file says which tiles it holds; whoever reads it takes newer ones from the tiles themselves, so it
may lag behind without being wrong. Lost or damaged, it is gathered again.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import threading
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from flyball.errors import StorageError
from flyball.home import Home
from telemetry.parquet_file import parquet_relation, quoted, settle
from telemetry.tile_columns import DAY_COLUMNS, empty_relation

#: What is gathered of each row of a day tile.
GATHERED_COLUMNS = (
    "tenant_id, meter, event_day, arrival_day, quantity_sum, window_count, share_peak"
)
#: About four hundred tenants' quarters: smaller ones cost more to find than to read.
_ROW_GROUP = 32_768
#: Beyond it the sort goes to disk.
_MEMORY = "128MB"
#: Bumped when the columns change.
_FORMAT = "1"


@dataclass(frozen=True, slots=True)
class Gathered:
    """A gathered file: its rows of ``meters`` are those of ``tiles``, arrival day to file name."""

    path: Path
    tiles: Mapping[int, str]
    meters: frozenset[str]


class GatheredUsage:
    """The gathered file of one home; may be read from any thread while it is replaced."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._lock = threading.Lock()
        self._current = self._newest()
        self._running: Any = None
        self._closed = False

    def close(self) -> None:
        """Break off a gathering that is under way; there will be none after it."""
        with self._lock:
            self._closed = True
            if self._running is not None:
                self._running.interrupt()

    @property
    def current(self) -> Gathered | None:
        """The newest file; None before the first."""
        return self._current

    def forget(self, gathered: Gathered) -> None:
        """Do without a file that cannot be read, until another is there."""
        with self._lock:
            if self._current is gathered:
                self._current = None

    def gather(self, tiles: Mapping[int, str], meters: Collection[str]) -> Gathered:
        """Write the rows of ``meters`` in ``tiles``, sorted by tenant, and use them from now on.

        A million rows take about 1.5 s of one core, 4 MB on disk and less than 200 MB of memory.

        Raises
        ------
        StorageError
            The tiles cannot be read, or the file not be written, or this was closed.
        """
        directory = self._home.account_usage
        said = {
            "format": _FORMAT,
            "tiles": json.dumps(sorted(tiles.items())),
            "meters": json.dumps(sorted(meters)),
        }
        mark = hashlib.sha256(json.dumps(said).encode()).hexdigest()[:24]
        gathered = Gathered(directory / f"{mark}.parquet", dict(tiles), frozenset(meters))
        try:
            directory.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=directory) as scratch:
                draft = Path(scratch) / "draft.parquet"
                self._write(draft, gathered, said, scratch)
                settle(draft, gathered.path)
        except (OSError, duckdb.Error) as error:
            raise StorageError(
                f"Usage cannot be gathered in {directory}: {error}.",
                "Look whether the disk is full; pages read the tiles meanwhile.",
            ) from error
        with self._lock:
            before, self._current = self._current, gathered
        # A page may be reading the one before.
        kept = {gathered.path, before.path if before else gathered.path}
        for path in directory.glob("*.parquet"):
            if path not in kept:
                path.unlink(missing_ok=True)
        return gathered

    def _write(
        self, draft: Path, gathered: Gathered, said: Mapping[str, str], scratch: str
    ) -> None:
        paths = [self._home.tiles / "day" / name for name in gathered.tiles.values()]
        source = parquet_relation(paths, GATHERED_COLUMNS, empty_relation(DAY_COLUMNS))
        words = ", ".join(f"{key}: {quoted(value)}" for key, value in said.items())
        connection = duckdb.connect()
        with self._lock:
            if self._closed:
                raise duckdb.InterruptException("the console is closing")
            self._running = connection
        try:
            # Nobody waits for this; workers do for the cores.
            connection.execute("SET threads = 1")
            connection.execute(f"SET memory_limit = '{_MEMORY}'")
            connection.execute(f"SET temp_directory = {quoted(scratch)}")
            connection.execute(
                f"COPY (SELECT {GATHERED_COLUMNS} FROM ({source}) WHERE list_contains(?, meter) "
                f"ORDER BY tenant_id, event_day) TO {quoted(str(draft))} (FORMAT parquet, "
                f"COMPRESSION zstd, ROW_GROUP_SIZE {_ROW_GROUP}, KV_METADATA {{{words}}})",
                [sorted(gathered.meters)],
            )
        finally:
            with self._lock:
                self._running = None
            connection.close()

    def _newest(self) -> Gathered | None:
        """The newest file that can be read; others are left to the next gathering."""
        found = []
        with suppress(OSError):
            found = [
                (path.stat().st_mtime_ns, path)
                for path in self._home.account_usage.glob("*.parquet")
            ]
        for _, path in sorted(found, reverse=True):
            try:
                said = _said(path)
            except (duckdb.Error, UnicodeDecodeError):
                continue
            if said.get("format") == _FORMAT:
                tiles = {int(day): str(name) for day, name in json.loads(said["tiles"])}
                return Gathered(path, tiles, frozenset(json.loads(said["meters"])))
        return None


def _said(path: Path) -> dict[str, str]:
    connection: Any = duckdb.connect()
    try:
        rows = connection.execute(
            f"SELECT key, value FROM parquet_kv_metadata({quoted(str(path))})"
        ).fetchall()
    finally:
        connection.close()
    return {bytes(key).decode(): bytes(value).decode() for key, value in rows}
