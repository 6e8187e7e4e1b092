"""P3: from raw events to every tenant's features, against the best hand-written DuckDB SQL.

Events lie as sealed history of 90 days (Parquet by event day). *Build*: fold what the features of
one as-of time read (the last month) into tiles on disk, then compute; the competitor goes straight
from the same month's files to the same features, writes nothing, and both tables must agree. *New
day*: on top of 90 folded days one more is folded, and every tenant's features are refreshed; both
against the full build as above. Everything is materialised: a benchmark that counts rows lets
DuckDB skip the features.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from benchmarks.feature_baseline import baseline_sql
from benchmarks.promise import at_most, line
from features.executor import compute
from features.inputs import LOOKBACK_DAYS, create_inputs
from flyball.home import Home
from flyball.instant import DAY_US, HOUR_US
from telemetry.database import open_database, transaction
from telemetry.history_files import HistoryFile, add_files, file_name
from telemetry.schema import DDL
from telemetry.tile_fold import LIMIT_SCHEMA
from telemetry.tiles import Tiles

_FIRST_DAY = 20_000
_DAYS = 90
_END_DAY = _FIRST_DAY + _DAYS
_LEDGER = ("account", "plan", "subscription", "decision", "ticket", "intervention", "incident")


def measure(quick: bool = True) -> list[dict[str, Any]]:
    """Run P3 and return one record a comparison; times in seconds, less is better."""
    return measure_for(2_000 if quick else 100_000)


def measure_for(tenants: int) -> list[dict[str, Any]]:
    """Run P3 with 500 events a tenant."""
    events = tenants * 500
    with tempfile.TemporaryDirectory() as scratch:
        files = _write_events(Path(scratch) / "events", tenants, events)
        month = [path for day, path in files if _END_DAY - LOOKBACK_DAYS <= day < _END_DAY]
        ours, computed, theirs = _build(Path(scratch), tenants, files, month)
        fold, refresh = _grow(Path(scratch) / "grown", tenants, files)
    size = f"{events // 1_000_000}M events, {tenants:,} tenants"
    return [
        at_most("P3", f"raw events to features ({size}, a month of them)", ours, theirs, "s", 1.1),
        at_most("P3", "of which features, from folded tiles", computed, theirs, "s", 1.1)
        | {"goal": "-", "met": None},
        at_most("P3", "fold a new day on top of 90 / full build", fold, ours, "s", 0.05),
        at_most("P3", "refresh every tenant / full build", refresh, ours, "s", 0.40),
    ]


def _build(
    scratch: Path, tenants: int, files: Sequence[tuple[int, Path]], month: Sequence[Path]
) -> tuple[float, float, float]:
    """Seconds of ours, of its features alone, and of the competitor: the better of two runs."""
    ours, computed, theirs = math.inf, math.inf, math.inf
    wanted = [(day, path) for day, path in files if path in set(month)]
    for run in range(2):
        home = _home(scratch / f"build{run}", wanted)
        began = time.perf_counter()
        _features(home, tenants, _END_DAY)
        ours = min(ours, time.perf_counter() - began)
        began = time.perf_counter()
        table = _features(home, tenants, _END_DAY)
        computed = min(computed, time.perf_counter() - began)
        with _connection(tenants, _END_DAY) as connection:
            listed = ", ".join(f"'{path}'" for path in month)
            sql = baseline_sql(f"read_parquet([{listed}])", _END_DAY)
            began = time.perf_counter()
            connection.execute(f"CREATE TEMP TABLE competitor AS {sql}")
            other = connection.table("competitor").to_arrow_table()
            theirs = min(theirs, time.perf_counter() - began)
    _compare(table, other)
    return ours, computed, theirs


def _grow(root: Path, tenants: int, files: Sequence[tuple[int, Path]]) -> tuple[float, float]:
    """Seconds of folding the 91st day on top of 90, and of refreshing everybody then."""
    home = _home(root, [each for each in files if each[0] < _END_DAY])
    Tiles(home, _limits(tenants)).refresh()
    _add(home, [each for each in files if each[0] >= _END_DAY])
    began = time.perf_counter()
    Tiles(home, _limits(tenants)).refresh()
    fold = time.perf_counter() - began
    began = time.perf_counter()
    _features(home, tenants, _END_DAY + 1)
    return fold, time.perf_counter() - began


def _features(home: Home, tenants: int, day: int) -> pa.Table:
    """Every tenant's features as of ``day``'s midnight; folds what is not folded yet."""
    with _connection(tenants, day) as connection:
        connection.execute("DROP TABLE usage_hour; DROP TABLE usage_day")
        Tiles(home, _limits(tenants)).register(
            connection, now_us=day * DAY_US, as_of_hours=(day * 24,)
        )
        return compute(connection)


def _connection(tenants: int, day: int) -> Any:
    """A connection with the ledger's relations and the spine."""
    connection = duckdb.connect()
    create_inputs(connection)
    born = (_FIRST_DAY - 400) * 24
    names = f"(SELECT i, {_NAME} AS tenant_id FROM range({tenants}) AS r(i))"
    connection.execute(
        f"INSERT INTO account SELECT tenant_id, {born}, {born}, 1, 'pro', {born}, '', tenant_id,"
        f" 'smb', 'eu', 10 + i % 50, 50.0 + i % 900, CASE WHEN i % 3 = 0 THEN {_END_DAY * 24 + 240}"
        f" END, {_BASE}, {_BASE} * 7 // 10, 60, 'api.requests' FROM {names}"
    )
    connection.execute(f"INSERT INTO plan VALUES ('pro', {born}, {born}, 1, 2, 99.0)")
    connection.execute(
        "INSERT INTO decision SELECT tenant_id, d * 24, d * 24,"
        " [70, 85, 100, 115, 130][1 + (hash(i, d) % 5)::BIGINT], 0.2, 7, 'live'"
        f" FROM {names}, range({_FIRST_DAY}, {_END_DAY}, 7) AS w(d)"
    )
    for relation, values in (
        ("ticket", "h, h, CASE WHEN i % 2 = 0 THEN 'urgent' ELSE 'low' END, NULL"),
        ("subscription", "h, h, CASE WHEN i % 2 = 0 THEN 'upgraded' ELSE 'renewed' END, 'pro',"
         " 99.0, 1"),
    ):  # fmt: skip
        connection.execute(
            f"INSERT INTO {relation} SELECT tenant_id, {values} FROM (SELECT *,"
            f" {_FIRST_DAY * 24} + (hash(i, '{relation}') % {_DAYS * 24})::BIGINT AS h"
            f" FROM {names}) WHERE i % 5 < 2"
        )
    connection.execute(f"INSERT INTO spine SELECT tenant_id, {day * 24} FROM {names}")
    return connection


_LATE = f"hash(i, time_us // {HOUR_US}) % 50 = 0"
_NAME = "printf('tenant_%06d', i)"
_BASE = "(20 + i % 7 * 30)"


def _limits(tenants: int) -> pa.Table:
    """The limit in force of every tenant: per minute."""
    with duckdb.connect() as connection:
        table: pa.Table = connection.sql(
            f"SELECT {_NAME} AS tenant_id, 'api.requests' AS meter, 0::BIGINT AS from_hour,"
            f" {_BASE} AS base_limit, 60::BIGINT AS window_seconds FROM range({tenants}) AS r(i)"
        ).to_arrow_table()
    return table.cast(LIMIT_SCHEMA)


def _write_events(root: Path, tenants: int, events: int) -> list[tuple[int, Path]]:
    """Random events of 91 days, one Parquet file a day, sorted by tenant; 2 % of the tenant-hours
    arrive a day late (whole ones, because tiles cannot join a window that arrived in parts)."""
    meters = (
        ["api.requests"] * 20 + ["logins"] * 3 + ["api.blocked", "exports", "ai.tokens", "db.reads"]
        + ["workflows.concurrent", "seats.active", "integrations.active", "storage.bytes"]
    )  # fmt: skip
    per_day = events // _DAYS
    written = []
    with duckdb.connect() as connection:
        for day in range(_FIRST_DAY, _END_DAY + 1):
            path = root / file_name(day, "bench", 0)
            path.parent.mkdir(parents=True)
            connection.execute(
                f"COPY (SELECT {_NAME} AS tenant_id, 'gateway' AS source, '' AS event_id, time_us,"
                f" time_us + CASE WHEN {_LATE} THEN {DAY_US} ELSE 0 END AS arrived_us,"
                f" {meters}[1 + (h // 64 % {len(meters)})::BIGINT] AS meter,"
                " (1 + h % 200000)::DOUBLE / 1024 AS quantity, '' AS endpoint, 0::UBIGINT AS key"
                f" FROM (SELECT n, (hash(n, {day}, 1) % {tenants})::BIGINT AS i,"
                f" (hash(n, {day}, 2) % 1000000007)::BIGINT AS h,"
                f" {day * DAY_US} + (hash(n, {day}, 3) % {DAY_US - 1_000_000})::BIGINT AS time_us"
                f" FROM range({per_day}) AS r(n)) ORDER BY tenant_id, time_us) TO '{path}'"
                " (FORMAT parquet, COMPRESSION zstd)"
            )
            written.append((day, path))
    return written


def _home(root: Path, files: Sequence[tuple[int, Path]]) -> Home:
    """A home whose sealed history is ``files``."""
    home = Home(root)
    root.mkdir(parents=True)
    connection = open_database(home.events)
    try:
        for statement in DDL:
            connection.execute(statement)
    finally:
        connection.close()
    _add(home, files)
    return home


def _add(home: Home, files: Sequence[tuple[int, Path]]) -> None:
    """Make ``files`` part of the history."""
    records = []
    with duckdb.connect() as reader:
        for day, path in files:
            name = file_name(day, "bench", 0)
            (home.history / name).parent.mkdir(parents=True)
            (home.history / name).symlink_to(path)
            arrivals = dict(
                reader.execute(
                    f"SELECT arrived_us // {DAY_US}, count(*) FROM read_parquet('{path}')"
                    " GROUP BY 1"
                ).fetchall()
            )
            rows = sum(arrivals.values())
            records.append(
                HistoryFile(
                    name=name, event_day=day, row_count=rows, key_kind="none", origin="bench",
                    arrivals=arrivals,
                )
            )  # fmt: skip
    connection = open_database(home.events)
    try:
        with transaction(connection):
            add_files(connection, records)
    finally:
        connection.close()


def _compare(ours: pa.Table, theirs: pa.Table) -> None:
    """Both tables must say the same, up to the quantisation of shares.

    The last of two gauges within five minutes is the larger to us and the later to them: rare.
    """
    for name in theirs.schema.names:
        pairs = list(zip(ours[name].to_pylist(), theirs[name].to_pylist(), strict=True))
        wrong = [pair for pair in pairs if not _same(*pair)]
        if len(wrong) > (0.02 * len(pairs) if name in _GAUGES else 0):
            raise AssertionError(f"{name}: {wrong[0][0]} is not {wrong[0][1]} ({len(wrong)} rows)")


def _same(mine: Any, other: Any) -> bool:
    if mine is None or other is None or isinstance(mine, str):
        return bool(mine == other)
    return math.isclose(mine, other, rel_tol=1e-4, abs_tol=1e-4)


_GAUGES = ("seats_active", "seat_share", "integrations_active", "storage_growth_28d")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="50 million events, 100,000 tenants")
    parser.add_argument("--quick", action="store_true", help="1 million events (the default)")
    parser.add_argument("--tenants", type=int, help="any other size; 500 events a tenant")
    given = parser.parse_args()
    for row in measure_for(given.tenants) if given.tenants else measure(quick=not given.full):
        print(line(row))


if __name__ == "__main__":
    main()
