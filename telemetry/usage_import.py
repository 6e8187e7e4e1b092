"""Bulk import of usage: files in, sealed history out, in bounded memory.

Rows are staged until there are enough of them, then told apart (new, repeated, contradicting,
pending), and what is new becomes history in one transaction. Killed at any moment, the next run
finds what was committed as duplicates and takes the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from flyball.errors import InvalidInput, StorageFull
from flyball.home import Home
from telemetry.bad_line import BadLine
from telemetry.database import open_database, storage_errors
from telemetry.event_log import OpenLog
from telemetry.file_lock import directory_lock
from telemetry.history_files import (
    IDENTITY_DAYS,
    HistoryFile,
    identity_relation,
    list_files,
    sweep,
)
from telemetry.history_writer import HistoryWriter
from telemetry.meter_table import read_meters
from telemetry.parquet_file import quoted
from telemetry.reject_reason import reason_of
from telemetry.rejects_file import RejectsFile
from telemetry.store import Outcome
from telemetry.usage_columns import checked_rows, raw_row
from telemetry.usage_counts import RowCounts
from telemetry.usage_identity import FRESH, GOOD, find_repeats, key_kind
from telemetry.usage_source import Block, read_file, unreadable

#: Staged rows that are told apart and committed together.
CHUNK_ROWS = 2_000_000

#: Schema of the names that usage may use: tenant ids and aliases.
NAME_SCHEMA = pa.schema(
    [("name", pa.string()), ("tenant_id", pa.string()), ("created_us", pa.int64())]
)

#: Called with a file's path and the share of it that was read (0..1).
Progress = Callable[[Path, float], None]


@dataclass(slots=True)
class UsageReport:
    """Counts per file, in order."""

    files: dict[str, RowCounts] = field(default_factory=dict)

    @property
    def total(self) -> RowCounts:
        """All files together."""
        total = RowCounts()
        for counts in self.files.values():
            total.add(counts)
        return total


def import_usage(
    home: Home,
    files: Sequence[Path],
    *,
    names: Any,
    now_us: int,
    import_id: str,
    rejects: RejectsFile,
    base: Path | None = None,
    progress: Progress | None = None,
) -> UsageReport:
    """Take usage files into the history.

    Parameters
    ----------
    names:
        pyarrow table of :data:`NAME_SCHEMA`; usage of other names is kept pending.
    now_us:
        When this runs (µs); events more than an hour ahead are refused.
    import_id:
        Unique; part of file names.
    base:
        Directory that file names in the report are relative to.

    Raises
    ------
    StorageError
        Chunks committed so far stay; run the import again for the rest.
    """
    with directory_lock(home.history), _duckdb(home) as connection:
        run = _Run(home, connection, names, now_us, import_id, rejects)
        for path in files:
            run.take_file(path, str(path.relative_to(base)) if base else path.name, progress)
        run.flush()
    return run.report


@contextmanager
def _duckdb(home: Home) -> Iterator[Any]:
    spill = home.history / ".spill"
    connection = duckdb.connect()
    try:
        connection.execute(f"SET temp_directory = {quoted(str(spill))}").fetchall()
        connection.execute("SET memory_limit = '2GB'").fetchall()
        connection.execute("SET TimeZone = 'UTC'").fetchall()
        yield connection
    except duckdb.Error as error:
        if _is_full(error):
            raise StorageFull(
                f"No space is left below {home.root}.",
                "Free some space and import again; what was committed is kept.",
            ) from error
        raise
    finally:
        connection.close()


class _Run:
    """One import under way."""

    def __init__(
        self,
        home: Home,
        connection: Any,
        names: Any,
        now_us: int,
        import_id: str,
        rejects: RejectsFile,
    ) -> None:
        self.report = UsageReport()
        self._home = home
        self._connection = connection
        self._now_us = now_us
        self._rejects = rejects
        self._staged = 0
        self._labels: list[str] = []
        self._kind = key_kind(connection)
        self._writer = HistoryWriter(home, f"import-{import_id}", self._kind)
        connection.register("name_input", names)
        connection.execute("CREATE TEMP TABLE tenant_name AS FROM name_input")
        self._load_log()
        connection.execute(_STAGED)

    def _load_log(self) -> None:
        log = open_database(self._home.events)
        try:
            with storage_errors(self._home.events):
                self._meters = read_meters(log)
                sweep(self._home, (file.name for file in list_files(log)))
                live = list(log.execute(_UNSEALED))
        finally:
            log.close()
        columns = list(zip(*live, strict=True)) or [()] * len(_LIVE_SCHEMA)
        table = pa.table(
            [pa.array(c, type=f.type) for c, f in zip(columns, _LIVE_SCHEMA, strict=True)],
            schema=_LIVE_SCHEMA,
        )
        self._connection.register("live_input", table)
        self._connection.execute(
            "CREATE TEMP TABLE live_event AS SELECT *, hash(tenant_id, source, event_id) AS key"
            " FROM live_input"
        )

    def take_file(self, path: Path, label: str, progress: Progress | None) -> None:
        counts = self.report.files.setdefault(label, RowCounts())
        self._labels.append(label)
        try:
            for block in read_file(path):
                self._take_block(block, counts)
                if progress is not None:
                    progress(path, block.done)
                if self._staged >= CHUNK_ROWS:
                    self.flush()
        except InvalidInput as error:
            self._refuse(counts, label, BadLine(0, error.code, str(error)))
        if progress is not None:
            progress(path, 1.0)

    def _take_block(self, block: Block, counts: RowCounts) -> None:
        for bad in block.bad:
            self._refuse(counts, self._labels[-1], bad)
        if not block.row_count:
            return
        try:
            self._stage(block, counts)
        except duckdb.Error as error:
            if block.table is not None or isinstance(error, _NOT_DAMAGE):
                raise
            if _is_full(error):
                raise
            if "KeyboardInterrupt" in str(error):
                # Ctrl-C while DuckDB read one of our tables: nothing is wrong with the rows.
                raise KeyboardInterrupt from error
            if block.split:
                for piece in block.split:
                    self._take_block(piece, counts)
                return
            last = block.first_line + block.row_count - 1
            problem = unreadable(f"rows {block.first_line} to {last}: {error}")
            bad = BadLine(block.first_line, problem.code, str(problem), count=block.row_count)
            self._refuse(counts, self._labels[-1], bad)

    def _stage(self, block: Block, counts: RowCounts) -> None:
        run = self._connection.execute
        if block.table is not None:
            self._connection.register("block_input", block.table)
        run(f"CREATE OR REPLACE TEMP VIEW block AS {block.relation}")
        checked = checked_rows("block", block.columns, self._meters, now_us=self._now_us)
        run(f"CREATE OR REPLACE TEMP TABLE checked AS {checked}")
        refused = run(
            f"SELECT c.line, c.problem, {raw_row('block', block.columns)} FROM checked AS c"
            " JOIN block ON block.line = c.line WHERE c.problem IS NOT NULL ORDER BY c.line"
        )
        while rows := refused.fetchmany(10_000):
            for line, problem, row in rows:
                code, _, name = problem.partition("/")
                reason = reason_of(code, name, block.columns.get(name, ""), row)
                self._rejects.add(self._labels[-1], line, code, reason, row)
                counts.reject(code)
        taken = run(
            f"INSERT INTO staged SELECT {len(self._labels) - 1}, * EXCLUDE (problem)"
            " FROM checked WHERE problem IS NULL"
        ).fetchall()[0][0]
        counts.read += taken
        self._staged += taken

    def _refuse(self, counts: RowCounts, label: str, bad: BadLine) -> None:
        self._rejects.add(label, bad.line, bad.code, bad.reason, bad.text)
        counts.reject(bad.code, bad.count)

    def flush(self) -> None:
        """Tell staged rows apart and make what is new durable."""
        if not self._staged:
            self._rejects.sync()
            return
        run = self._connection.execute
        find_repeats(self._connection, identity_relation(self._home, self._near(), self._kind))
        self._count_early()
        conflicts = self._count_repeats()
        pending = self._unplaced()
        fresh = self._connection.sql(FRESH).to_arrow_table()
        files = self._writer.write(fresh)
        self._rejects.sync()
        self._writer.commit(files, lambda log: self._keep(log, pending, conflicts))
        for number, count in run(_ACCEPTED).fetchall():
            self.report.files[self._labels[number]].accepted += count
        run("TRUNCATE staged")
        self._staged = 0

    def _near(self) -> list[HistoryFile]:
        """History files of days on which a staged row's identity may already be."""
        first, last = self._connection.execute(
            "SELECT min(time_us) // 86400000000, max(time_us) // 86400000000 FROM staged"
        ).fetchall()[0]
        log = open_database(self._home.events)
        try:
            with storage_errors(self._home.events):
                files = list_files(log)
        finally:
            log.close()
        low, high = first - IDENTITY_DAYS, last + IDENTITY_DAYS
        return [file for file in files if low <= file.event_day <= high]

    def _count_early(self) -> None:
        rows = self._connection.execute(
            f"SELECT file_no, line, {_SHOWN} FROM placed WHERE time_us < created_us"
        )
        while batch := rows.fetchmany(10_000):
            for number, line, row in batch:
                counts = self.report.files[self._labels[number]]
                counts.rejected["before_account"] += 1
                reason = reason_of("before_account", "time", "", row)
                self._rejects.add(self._labels[number], line, "before_account", reason, row)

    def _count_repeats(self) -> list[tuple[Any, ...]]:
        run = self._connection.execute
        for number, same, count in run(
            "SELECT file_no, same, count(*) FROM repeat GROUP BY ALL"
        ).fetchall():
            counts = self.report.files[self._labels[number]]
            if same:
                counts.duplicates += count
            else:
                counts.conflicts += count
        conflicts = run(
            f"SELECT file_no, line, {_SHOWN}, {_EVENT}"
            " FROM placed JOIN repeat USING (file_no, line)"
            " WHERE NOT same ORDER BY file_no, line"
        ).fetchall()
        for number, line, row, *_ in conflicts:
            reason = reason_of("conflict", "id", "", row)
            self._rejects.add(self._labels[number], line, "conflict", reason, row)
        return [row[3:] for row in conflicts]

    def _unplaced(self) -> list[tuple[Any, ...]]:
        return list(
            self._connection.execute(
                f"SELECT file_no, {_EVENT.replace('tenant_id', 'name')} FROM placed"
                " WHERE tenant_id IS NULL ORDER BY file_no, line"
            ).fetchall()
        )

    def _keep(
        self, log: Any, pending: Sequence[tuple[Any, ...]], conflicts: Sequence[tuple[Any, ...]]
    ) -> None:
        """Keep pending and conflicting events in the log, inside the history's transaction."""
        opened = OpenLog(log, origin="import")
        for row in conflicts:
            opened.keep_conflict(row)
        for number, *event in pending:
            counts = self.report.files[self._labels[number]]
            if opened.keep_pending(tuple(event)) is Outcome.PENDING:
                counts.pending += 1
            else:
                counts.conflicts += 1


#: Words of the operating system and of DuckDB; "space" alone may be part of a path.
_FULL = ("no space left", "quota exceeded", "file too large", "max_temp_directory_size")


def _is_full(error: Exception) -> bool:
    words = str(error).lower()
    return any(text in words for text in _FULL)


#: Errors of ours or of the machine. Whatever else DuckDB says of a Parquet file is damage.
_NOT_DAMAGE = (
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.ConnectionException,
    duckdb.InterruptException,
    duckdb.OutOfMemoryException,
    duckdb.ParserException,
    duckdb.ResourceInUseException,
)

_STAGED = """
CREATE TEMP TABLE staged (
    file_no INTEGER, line BIGINT, name VARCHAR, source VARCHAR, event_id VARCHAR, time_us BIGINT,
    arrived_us BIGINT, meter VARCHAR, quantity DOUBLE, endpoint VARCHAR
)
"""

_UNSEALED = """SELECT tenant_id, source, event_id, time_us, meter, quantity, endpoint FROM event
WHERE sequence > (SELECT value FROM state WHERE name = 'sealed')"""

_LIVE_SCHEMA = pa.schema(
    [
        ("tenant_id", pa.string()),
        ("source", pa.string()),
        ("event_id", pa.string()),
        ("time_us", pa.int64()),
        ("meter", pa.string()),
        ("quantity", pa.float64()),
        ("endpoint", pa.string()),
    ]
)

_EVENT = "tenant_id, source, event_id, time_us, arrived_us, meter, quantity, endpoint"

_SHOWN = """struct_pack(tenant_id := name, source := source, id := event_id,
time := strftime(make_timestamp(time_us), '%Y-%m-%dT%H:%M:%S.%fZ'), meter := meter,
quantity := quantity)"""

_ACCEPTED = f"""SELECT file_no, count(*) FROM placed AS p
ANTI JOIN repeat AS r ON r.file_no = p.file_no AND r.line = p.line
WHERE {GOOD} GROUP BY file_no"""
