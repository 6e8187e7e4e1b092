from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import apsw
import pytest

from flyball.errors import ReadOnlyHome, StorageError, StorageFull
from flyball.home import Home
from telemetry.database import open_database
from telemetry.sqlite_store import SqliteEventStore
from telemetry.store import Outcome, Resolve

from .conftest import EventMaker

_ROOT = Path(__file__).parents[3]


def test_commits_are_flushed_to_disk(home: Home) -> None:
    connection = open_database(home.events)
    assert connection.pragma("journal_mode") == "wal"
    assert connection.pragma("synchronous") == 2  # FULL: NORMAL loses rows at a power cut
    connection.close()


def test_the_log_survives_closing(home: Home, everyone: Resolve, event: EventMaker) -> None:
    first = SqliteEventStore(home.events)
    first.append([event("a")], everyone)
    first.close()
    second = SqliteEventStore(home.events)
    assert second.append([event("a"), event("b")], everyone).outcomes == (
        Outcome.DUPLICATE,
        Outcome.ACCEPTED,
    )
    second.close()


def test_a_closed_log_takes_nothing(home: Home, everyone: Resolve, event: EventMaker) -> None:
    store = SqliteEventStore(home.events)
    store.close()
    store.close()
    with pytest.raises(StorageError, match="closed"):
        store.append([event("a")], everyone)


def test_two_processes_count_an_event_once(
    home: Home, everyone: Resolve, event: EventMaker
) -> None:
    one, other = SqliteEventStore(home.events), SqliteEventStore(home.events)
    events = [event(str(i)) for i in range(500)]
    futures = [
        store.submit(events[start : start + 50], everyone)
        for start in range(0, 500, 50)
        for store in (one, other)
    ]
    outcomes = [outcome for future in futures for outcome in future.result().outcomes]
    assert outcomes.count(Outcome.ACCEPTED) == 500
    assert outcomes.count(Outcome.DUPLICATE) == 500
    sequences = [row[0] for row in one._read("SELECT sequence FROM event ORDER BY sequence")]
    assert sequences == list(range(1, 501))
    one.close()
    other.close()


def test_a_full_disk_refuses_and_keeps_what_was_acknowledged(
    home: Home, everyone: Resolve, event: EventMaker
) -> None:
    store = SqliteEventStore(home.events)
    store.append([event("kept")], everyone)
    pages = store._writing.pragma("page_count")
    store._writing.pragma("max_page_count", pages)
    with pytest.raises(StorageFull, match="Free some space"):
        store.append([event(f"big{i}", endpoint="x" * 200) for i in range(2_000)], everyone)
    assert [e.event_id for e in store.events_since(0)] == ["kept"]
    store._writing.pragma("max_page_count", 1_000_000)
    assert store.append([event("after")], everyone).outcomes == (Outcome.ACCEPTED,)
    store.close()


def test_a_read_only_log_says_so(home: Home, everyone: Resolve, event: EventMaker) -> None:
    store = SqliteEventStore(home.events)
    store._writing.pragma("query_only", True)
    with pytest.raises(ReadOnlyHome, match="owner, mode"):
        store.append([event("a")], everyone)
    store.close()


def test_a_damaged_or_foreign_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "events.sqlite"
    path.write_bytes(b"this is no database" * 400)
    with pytest.raises(StorageError, match="damaged or not an event log"):
        SqliteEventStore(path)


def test_a_newer_schema_is_refused(home: Home) -> None:
    connection = open_database(home.events)
    connection.pragma("user_version", 99)
    connection.close()
    with pytest.raises(StorageError, match="newer Flyball"):
        SqliteEventStore(home.events)


def test_a_missing_log_cannot_be_read(home: Home) -> None:
    with pytest.raises(StorageError, match="cannot be opened"):
        open_database(home.events, read_only=True)


def test_bundled_sqlite_has_no_known_wal_corruption() -> None:
    version = tuple(int(part) for part in apsw.sqlite_lib_version().split("."))
    assert version >= (3, 51, 3)


_SENDER = """
import sys
from pathlib import Path
from flyball.usage import UsageEvent
from telemetry.sqlite_store import SqliteEventStore
from telemetry.store import KnownTenant

store = SqliteEventStore(Path(sys.argv[1]))
for batch in range(10_000):
    events = [
        UsageEvent(tenant_id="t", source="s", event_id=f"{batch}-{i}", time_us=1, arrived_us=2,
                   meter="exports", quantity=1.0)
        for i in range(10)
    ]
    store.append(events, lambda name: KnownTenant(name, 0))
    print(batch, flush=True)
"""


def test_killed_at_any_moment_everything_acknowledged_is_there(home: Home) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(_SENDER), str(home.events)],
        stdout=subprocess.PIPE,
        cwd=_ROOT,
        text=True,
    )
    assert process.stdout is not None
    acknowledged = -1
    for line in process.stdout:
        acknowledged = int(line)
        if acknowledged >= 40:
            os.kill(process.pid, signal.SIGKILL)
            break
    rest = process.stdout.read().split()
    acknowledged = int(rest[-1]) if rest else acknowledged
    process.wait()
    process.stdout.close()
    store = SqliteEventStore(home.events)
    batches = [int(e.event_id.split("-")[0]) for e in store.events_since(0)]
    store.close()
    assert set(range(acknowledged + 1)) <= set(batches)
    assert all(batches.count(batch) == 10 for batch in set(batches))
