"""What usage a home holds: sealed history and live events, counted by meter."""

from __future__ import annotations

from typing import Any

from flyball.home import Home
from flyball.instant import format_instant

_COLUMNS = "meter, time_us, arrived_us"


def usage_report(home: Home) -> dict[str, Any] | None:
    """Counts, time range, lateness, pending and conflicts; None if nothing was ever taken in.

    Lateness is arrival minus the event's own time, over all events, in seconds.

    Raises
    ------
    StorageError
        The event log cannot be read.
    """
    import duckdb

    from telemetry.database import open_database, storage_errors
    from telemetry.history_files import history_relation, list_files

    if not home.events.exists():
        return None
    with storage_errors(home.events):
        log = open_database(home.events, read_only=True)
        try:
            # One transaction: an hour sealed in between would be counted twice or not at all.
            log.execute("BEGIN")
            files = list_files(log)
            live = log.execute(
                f"SELECT {_COLUMNS} FROM event WHERE sequence > "
                "(SELECT value FROM state WHERE name = 'sealed')"
            ).fetchall()
            pending = log.execute("SELECT count(*), count(DISTINCT name) FROM pending").fetchall()
            conflicts = log.execute("SELECT count(*) FROM conflict").fetchall()
        finally:
            log.close()
    connection = duckdb.connect()
    try:
        connection.register("live_event", _table(live))
        connection.execute(
            f"CREATE VIEW usage AS SELECT {_COLUMNS} FROM ({history_relation(home, files)}) "
            f"UNION ALL SELECT {_COLUMNS} FROM live_event"
        )
        by_meter = connection.execute(
            "SELECT meter, count(*) FROM usage GROUP BY meter ORDER BY meter"
        ).fetchall()
        first, last, late = connection.execute(
            "SELECT min(time_us), max(time_us), "
            "quantile_disc((arrived_us - time_us) / 1e6, [0.5, 0.95]) FROM usage"
        ).fetchall()[0]
    finally:
        connection.close()
    return {
        "events": sum(count for _, count in by_meter),
        "byMeter": dict(by_meter),
        "from": None if first is None else format_instant(first),
        "to": None if last is None else format_instant(last),
        "latenessSeconds": None if late is None else {"median": late[0], "p95": late[1]},
        "unsealed": len(live),
        "pending": {"events": pending[0][0], "names": pending[0][1]},
        "conflicts": conflicts[0][0],
    }


def _table(rows: list[tuple[Any, ...]]) -> Any:
    import pyarrow as pa

    schema = pa.schema({"meter": pa.string(), "time_us": pa.int64(), "arrived_us": pa.int64()})
    columns = zip(*rows, strict=True) if rows else ([], [], [])
    return pa.Table.from_arrays(
        [pa.array(c, type=f.type) for c, f in zip(columns, schema, strict=True)], schema=schema
    )
