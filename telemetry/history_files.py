"""Which Parquet files make up the sealed history. SQLite is the truth, the directory is not.

Several files change together (a sealed hour, an import's chunk): their names become history in one
transaction, together with whatever else must be true at the same moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flyball.home import Home
from flyball.instant import DAY_US, format_instant
from telemetry.parquet_file import parquet_relation

#: Columns of a history file, in order. ``key`` is a hash of the identity, for fast look-ups.
COLUMNS = "tenant_id, source, event_id, time_us, arrived_us, meter, quantity, endpoint, key"

#: An identity given again within this many days of its first event is always recognised.
IDENTITY_DAYS = 35

EMPTY = """SELECT ''::VARCHAR AS tenant_id, ''::VARCHAR AS source, ''::VARCHAR AS event_id,
0::BIGINT AS time_us, 0::BIGINT AS arrived_us, ''::VARCHAR AS meter, 0::DOUBLE AS quantity,
''::VARCHAR AS endpoint, 0::UBIGINT AS key WHERE false"""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryFile:
    """One file of sealed events of one event day.

    ``arrivals`` maps arrival days to rows; ``key_kind`` names the hash that made column ``key``;
    ``origin`` is the import or seal that wrote it.
    """

    name: str
    event_day: int
    row_count: int
    key_kind: str
    origin: str
    arrivals: dict[int, int]


def day_text(day: int) -> str:
    """UTC day number as ``YYYY-MM-DD``."""
    return format_instant(day * DAY_US)[:10]


def file_name(event_day: int, origin: str, number: int) -> str:
    """Path below the history directory."""
    return f"day={day_text(event_day)}/{origin}-{number:05d}.parquet"


def list_files(connection: Any) -> list[HistoryFile]:
    """All files of the history, by day and name."""
    arrivals: dict[str, dict[int, int]] = {}
    for name, day, rows in connection.execute("SELECT * FROM history_arrival"):
        arrivals.setdefault(name, {})[day] = rows
    listed = connection.execute(
        "SELECT name, event_day, row_count, key_kind, origin FROM history_file"
        " ORDER BY event_day, name"
    )
    return [
        HistoryFile(
            name=row[0],
            event_day=row[1],
            row_count=row[2],
            key_kind=row[3],
            origin=row[4],
            arrivals=arrivals.get(row[0], {}),
        )
        for row in listed
    ]


def add_files(connection: Any, files: Iterable[HistoryFile], *, new_usage: bool = True) -> None:
    """Make ``files`` part of the history; call inside a transaction.

    Parameters
    ----------
    new_usage:
        Whether they hold usage that the event log did not hold: whoever follows the log must read
        again then.
    """
    for file in files:
        connection.execute(
            "INSERT INTO history_file VALUES (?,?,?,?,?)",
            (file.name, file.event_day, file.row_count, file.key_kind, file.origin),
        )
        connection.executemany(
            "INSERT INTO history_arrival VALUES (?,?,?)",
            [(file.name, day, rows) for day, rows in sorted(file.arrivals.items())],
        )
    if new_usage:
        connection.execute("UPDATE state SET value = value + 1 WHERE name = 'history'")


def paths_of(home: Home, files: Sequence[HistoryFile]) -> list[Path]:
    """Where ``files`` lie."""
    return [home.history / file.name for file in files]


def history_relation(home: Home, files: Sequence[HistoryFile]) -> str:
    """SQL that reads the rows of ``files`` with :data:`COLUMNS`."""
    return parquet_relation(paths_of(home, files), COLUMNS, EMPTY)


def identity_relation(home: Home, files: Sequence[HistoryFile], key_kind: str) -> str:
    """SQL of identity, content and ``key`` of the rows of ``files``, keys made by one hash."""
    ours = [file for file in files if file.key_kind == key_kind]
    others = [file for file in files if file.key_kind != key_kind]
    columns = "tenant_id, source, event_id, time_us, meter, quantity, endpoint"
    sql = f"SELECT key, {columns} FROM ({history_relation(home, ours)})"
    if others:
        sql += (
            f" UNION ALL SELECT hash(tenant_id, source, event_id) AS key, {columns}"
            f" FROM ({history_relation(home, others)})"
        )
    return sql


def sweep(home: Home, keep: Iterable[str], *, unlink: Callable[[Path], None] = Path.unlink) -> int:
    """Remove files that no manifest names (left over from a crash); returns how many."""
    named = set(keep)
    removed = 0
    for path in home.history.glob("day=*/*") if home.history.is_dir() else ():
        if path.is_file() and str(path.relative_to(home.history)) not in named:
            unlink(path)
            removed += 1
    return removed
