"""Stopped at any moment and run again, an import neither loses nor doubles anything."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flyball.usage import UsageEvent
from telemetry import history_writer, parquet_file
from telemetry.history import Sealed, seal
from telemetry.sqlite_store import SqliteEventStore
from telemetry.store import KnownTenant, Outcome

from .conftest import Importer, usage_rows, write_csv

_ROOT = Path(__file__).parents[3]
_SMALL_CHUNKS = """
import sys
from telemetry import usage_import
usage_import.CHUNK_ROWS = 2_000
from commands.main import run
if sys.argv[1].isdigit():
    import resource, signal
    # Writes past this size fail with EFBIG, as they fail with ENOSPC on a full disk.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
print("ready", file=sys.stderr, flush=True)
sys.exit(run(sys.argv[2:]))
"""


def start(importer: Importer, directory: Path, largest: str = "any") -> subprocess.Popen[str]:
    """An import in small chunks in a process of its own, once it is about to begin."""
    arguments = ["--home", str(importer.home.root), "import", "--json", str(directory)]
    process = subprocess.Popen(
        [sys.executable, "-c", _SMALL_CHUNKS, largest, *arguments],
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert process.stderr.readline() == "ready\n"
    return process


def many_files(directory: Path) -> None:
    rows = usage_rows(20_000)
    for part in range(10):
        table = pa.Table.from_pylist(rows[part * 2_000 : (part + 1) * 2_000])
        pq.write_table(table, directory / f"usage-{part}.parquet")


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGINT])
def test_killed_at_any_moment_the_next_run_takes_the_rest(
    importer: Importer, directory: Path, stop: signal.Signals
) -> None:
    many_files(directory)
    for pause_s in (0.2, 0.8, 1.6):
        process = start(importer, directory)
        time.sleep(pause_s)
        process.send_signal(stop)
        _, errors = process.communicate(timeout=60)
        if stop is signal.SIGINT and process.returncode:
            assert process.returncode == 130, errors
            assert "run the command again" in errors
    report = importer.run(directory)
    ids = [row[2] for row in importer.usage()]
    assert len(ids) == len(set(ids)) == 20_000
    total = report["total"]
    assert total["read"] == total["accepted"] + total["duplicates"]
    assert not list(importer.home.history.glob("day=*/.*.draft"))


def test_a_crash_before_a_commit_leaves_nothing_half_done(
    importer: Importer, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_csv(directory / "usage.csv", usage_rows(100))

    def crash(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(history_writer.HistoryWriter, "commit", crash)
        importer.run(directory, code=130)
    assert importer.usage() == []
    assert importer.run(directory)["files"]["usage.csv"]["accepted"] == 100
    assert len(importer.usage()) == 100


def test_a_full_disk_stops_with_a_clear_error_and_keeps_what_was_committed(
    importer: Importer, directory: Path
) -> None:
    write_csv(directory / "usage-0.csv", usage_rows(50))
    importer.run(directory)
    many_files(directory)

    process = start(importer, directory, largest="2000")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 4, errors
    assert "Traceback" not in errors
    assert len(importer.usage()) == 50
    importer.run(directory)
    assert len(importer.usage()) == 20_000


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_home_stops_with_a_clear_error(importer: Importer, directory: Path) -> None:
    importer.home.root.mkdir()
    importer.home.root.chmod(0o500)
    try:
        importer.run(directory, code=4)
    finally:
        importer.home.root.chmod(0o700)
    assert "cannot be" in importer.errors


def test_a_file_system_that_turns_read_only_stops_with_a_clear_error(
    importer: Importer, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_csv(directory / "usage.csv", usage_rows(5))

    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with monkeypatch.context() as patched:
        patched.setattr(parquet_file, "settle", refuse)
        importer.run(directory, code=4)
    assert "cannot be written" in importer.errors
    assert importer.run(directory)["files"]["usage.csv"]["accepted"] == 5


def test_two_imports_at_once_count_everything_once(importer: Importer, directory: Path) -> None:
    many_files(directory)
    both = [start(importer, directory) for _ in range(2)]
    for process in both:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    ids = [row[2] for row in importer.usage()]
    assert len(ids) == len(set(ids)) == 20_000


def live(event_id: str, quantity: float = 1.0) -> UsageEvent:
    return UsageEvent(
        tenant_id="ent_0",
        source="import",
        event_id=event_id,
        time_us=1_767_571_200_000_000,
        arrived_us=1_767_571_201_000_000,
        meter="exports",
        quantity=quantity,
    )


def test_an_event_that_is_posted_and_imported_counts_once(
    importer: Importer, directory: Path
) -> None:
    store = SqliteEventStore(importer.home.events)

    def post(*events: UsageEvent) -> tuple[Outcome, ...]:
        return store.append(events, lambda name: KnownTenant(name, 0)).outcomes

    base = {"tenant_id": "ent_0", "time": "2026-01-05T00:00:00Z", "meter": "exports"}
    post(live("posted"), live("other", quantity=9.0))
    write_csv(
        directory / "usage.csv",
        [{"id": name, **base, "quantity": 1} for name in ("posted", "other", "imported")],
    )
    counts = importer.run(directory)["files"]["usage.csv"]
    assert (counts["accepted"], counts["duplicates"], counts["conflicts"]) == (1, 1, 1)
    outcomes = post(live("imported"), live("imported", quantity=3.0), live("new"))
    assert outcomes == (Outcome.DUPLICATE, Outcome.CONFLICT, Outcome.ACCEPTED)
    assert seal(importer.home, 1_767_571_300_000_000) == Sealed(sealed=3)
    assert [row[2] for row in importer.usage()] == ["imported", "new", "other", "posted"]
    store.close()


def test_pending_usage_counts_once_its_account_is_imported(
    importer: Importer, directory: Path, tmp_path: Path
) -> None:
    rows = usage_rows(10, tenants=4)  # ent_3 has no account
    write_csv(directory / "usage.csv", rows)
    counts = importer.run(directory)["files"]["usage.csv"]
    assert (counts["accepted"], counts["pending"]) == (8, 2)
    later = tmp_path / "later"
    later.mkdir()
    write_csv(
        later / "accounts.csv",
        [{"tenant_id": "ent_3", "plan": "basic", "created_at": "2026-01-01T00:00:00Z"}],
    )
    importer.run(later)
    store = SqliteEventStore(importer.home.events)
    assert dict(store.pending()) == {}
    assert [event.tenant_id for event in store.events_since(0)] == ["ent_3", "ent_3"]
    store.close()
    again = importer.run(directory)["files"]["usage.csv"]
    assert (again["duplicates"], again["pending"]) == (10, 0)
