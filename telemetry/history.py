"""Sealing: live events become history, in files and in the log's watermark at one moment.

A crash before the commit leaves files that nothing names; a crash after it leaves nothing undone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from flyball.home import Home
from flyball.instant import DAY_US, HOUR_US
from telemetry.database import open_database, storage_errors, transaction
from telemetry.event_log import OpenLog
from telemetry.file_lock import directory_lock
from telemetry.history_files import IDENTITY_DAYS, identity_relation, list_files, sweep
from telemetry.history_writer import HistoryWriter
from telemetry.usage_identity import FRESH, find_repeats, key_kind

#: Events sealed in one transaction at most.
SEAL_ROWS = 500_000

#: Sealed identities stay in the log this long, so that a repeated post is recognised at once.
IDENTITY_US = IDENTITY_DAYS * DAY_US

#: Sealing is due with this many unsealed events, or when the oldest is this old.
DUE_ROWS = 1_000_000
DUE_AGE_US = HOUR_US

_FORGET_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class Sealed:
    """What one sealing did.

    ``duplicates`` and ``conflicts`` are events that a bulk import had brought in meanwhile.
    """

    sealed: int = 0
    duplicates: int = 0
    conflicts: int = 0
    forgotten: int = 0


def seal_due(home: Home, now_us: int) -> bool:
    """Whether enough unsealed events have gathered, or old enough ones."""
    if not home.events.exists():
        return False
    log = open_database(home.events, read_only=True)
    try:
        with storage_errors(home.events):
            oldest = list(log.execute(_OLDEST))
            state = dict(log.execute("SELECT name, value FROM state"))
    finally:
        log.close()
    if not oldest:
        return False
    waiting = state["sequence"] - state["sealed"]
    return bool(waiting >= DUE_ROWS or now_us - oldest[0][0] >= DUE_AGE_US)


def seal(home: Home, now_us: int) -> Sealed:
    """Move every accepted live event into the history.

    Raises
    ------
    HomeInUse
        An import or another sealing is under way; try again later.
    StorageError
        Nothing of the current half million events was moved.
    """
    total = Sealed()
    with directory_lock(home.history, wait=False):
        log = open_database(home.events)
        try:
            with storage_errors(home.events):
                sweep(home, (file.name for file in list_files(log)))
                while True:
                    step = _seal_some(home, log)
                    if step is None:
                        break
                    total = _plus(total, step)
                total = _plus(total, Sealed(forgotten=_forget(log, now_us)))
        finally:
            log.close()
    return total


def _seal_some(home: Home, log: Any) -> Sealed | None:
    first = next(iter(log.execute("SELECT value FROM state WHERE name = 'sealed'")))[0]
    rows = list(log.execute(_UNSEALED, (first, SEAL_ROWS)))
    if not rows:
        return None
    last = rows[-1][-1]
    connection = duckdb.connect()
    try:
        _stage(connection, rows)
        days = sorted({row[3] // DAY_US for row in rows})
        low, high = days[0] - IDENTITY_DAYS, days[-1] + IDENTITY_DAYS
        near = [file for file in list_files(log) if low <= file.event_day <= high]
        kind = key_kind(connection)
        find_repeats(connection, identity_relation(home, near, kind))
        fresh = connection.sql(FRESH).to_arrow_table()
        same = connection.execute("SELECT line, same FROM repeat").fetchall()
    finally:
        connection.close()
    conflicts = [rows[line][:8] for line, is_same in same if not is_same]
    writer = HistoryWriter(home, f"seal-{first + 1}-{last}", kind)
    files = writer.write(fresh)

    def mark(opened: Any) -> None:
        opened.execute("UPDATE state SET value = ? WHERE name = 'sealed'", (last,))
        keeper = OpenLog(opened, origin="seal")
        for row in conflicts:
            keeper.keep_conflict(row)

    # Where a repeat falls away, what was counted live changes.
    writer.commit(files, mark, new_usage=bool(same))
    return Sealed(fresh.num_rows, len(same) - len(conflicts), len(conflicts))


def _stage(connection: Any, rows: list[tuple[Any, ...]]) -> None:
    """The relations that :func:`telemetry.usage_identity.find_repeats` reads."""
    names = ("tenant_id", "source", "event_id", "time_us", "arrived_us", "meter", "quantity")
    kinds = [pa.string()] * 3 + [pa.int64()] * 2 + [pa.string(), pa.float64(), pa.string()]
    columns = list(zip(*rows, strict=True))[:8]
    table = pa.table(
        [pa.array(column, type=kind) for column, kind in zip(columns, kinds, strict=True)],
        names=[*names, "endpoint"],
    ).append_column("line", pa.array(range(len(rows)), pa.int64()))
    connection.register("rows_input", table)
    connection.execute(
        "CREATE TEMP TABLE staged AS"
        " SELECT 0 AS file_no, line, tenant_id AS name, * EXCLUDE (tenant_id, line) FROM rows_input"
    )
    connection.execute(
        "CREATE TEMP TABLE tenant_name AS"
        " SELECT DISTINCT tenant_id AS name, tenant_id, 0::BIGINT AS created_us FROM rows_input"
    )
    connection.execute(
        "CREATE TEMP TABLE live_event AS SELECT tenant_id, source, event_id, time_us, meter,"
        " quantity, endpoint, 0::UBIGINT AS key FROM rows_input WHERE false"
    )


def _forget(log: Any, now_us: int) -> int:
    """Drop identities that were sealed long ago; events come in about the order of arrival."""
    # Where arrivals follow a clock of their own (replays), old is what is old by that clock.
    newest = [row[0] for row in log.execute(_NEWEST)]
    cutoff_us = min([now_us, *newest]) - IDENTITY_US
    forgotten = 0
    while True:
        with transaction(log):
            oldest = list(log.execute(_SEALED, (_FORGET_ROWS,)))
            old = [row[:3] for row in oldest if row[3] < cutoff_us]
            log.executemany(
                "DELETE FROM event WHERE tenant_id = ? AND source = ? AND event_id = ?", old
            )
        forgotten += len(old)
        if len(old) < _FORGET_ROWS:
            return forgotten


def _plus(one: Sealed, other: Sealed) -> Sealed:
    return Sealed(
        one.sealed + other.sealed,
        one.duplicates + other.duplicates,
        one.conflicts + other.conflicts,
        one.forgotten + other.forgotten,
    )


_UNSEALED = """SELECT tenant_id, source, event_id, time_us, arrived_us, meter, quantity, endpoint,
sequence FROM event WHERE sequence > ? ORDER BY sequence LIMIT ?"""

_OLDEST = """SELECT arrived_us FROM event
WHERE sequence > (SELECT value FROM state WHERE name = 'sealed') ORDER BY sequence LIMIT 1"""

_NEWEST = "SELECT arrived_us FROM event ORDER BY sequence DESC LIMIT 1"

_SEALED = """SELECT tenant_id, source, event_id, arrived_us FROM event
WHERE sequence <= (SELECT value FROM state WHERE name = 'sealed') ORDER BY sequence LIMIT ?"""
