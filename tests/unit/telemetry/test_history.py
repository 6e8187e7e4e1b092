from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import duckdb
import pytest

from flyball.errors import HomeInUse, StorageFull
from flyball.home import Home
from flyball.instant import DAY_US, HOUR_US
from flyball.usage import UsageEvent
from telemetry import history, history_writer
from telemetry.database import open_database
from telemetry.file_lock import directory_lock
from telemetry.history import IDENTITY_US, Sealed, seal, seal_due
from telemetry.history_files import HistoryFile, history_relation, list_files, paths_of
from telemetry.sqlite_store import SqliteEventStore
from telemetry.store import Outcome, Resolve
from telemetry.tile_manifest import TileManifest

from .conftest import MONDAY_US, EventMaker


def files_of(home: Home) -> list[HistoryFile]:
    connection = open_database(home.events, read_only=True)
    try:
        return list_files(connection)
    finally:
        connection.close()


def sealed_ids(home: Home) -> list[str]:
    rows = duckdb.sql(f"SELECT event_id FROM ({history_relation(home, files_of(home))})")
    return sorted(row[0] for row in rows.fetchall())


def append(home: Home, events: list[UsageEvent], everyone: Resolve) -> tuple[Outcome, ...]:
    store = SqliteEventStore(home.events)
    try:
        return store.append(events, everyone).outcomes
    finally:
        store.close()


def test_sealed_events_lie_by_event_day_sorted_by_tenant(
    home: Home, everyone: Resolve, event: EventMaker
) -> None:
    events = [
        event(f"{day}-{tenant}", at=day * 86_400, tenant_id=f"ent_{tenant}")
        for day in (1, 0)
        for tenant in (2, 1, 3)
    ]
    append(home, events, everyone)
    assert seal(home, MONDAY_US) == Sealed(sealed=6)
    files = files_of(home)
    assert [file.event_day for file in files] == [MONDAY_US // DAY_US, MONDAY_US // DAY_US + 1]
    for path in paths_of(home, files):
        tenants = duckdb.sql(f"SELECT tenant_id FROM read_parquet('{path}')").fetchall()
        assert tenants == sorted(tenants)
        assert path.parent.name.startswith("day=2026-01-0")


def test_late_events_name_their_arrival_day(
    home: Home, everyone: Resolve, event: EventMaker
) -> None:
    append(home, [event("a"), event("b", late=3 * 86_400)], everyone)
    seal(home, MONDAY_US)
    (file,) = files_of(home)
    day = MONDAY_US // DAY_US
    assert file.arrivals == {day: 1, day + 3: 1}


def test_sealing_twice_moves_nothing_twice(
    home: Home, everyone: Resolve, event: EventMaker
) -> None:
    append(home, [event("a")], everyone)
    seal(home, MONDAY_US)
    assert seal(home, MONDAY_US) == Sealed()
    assert sealed_ids(home) == ["a"]


def test_a_repeated_post_is_recognised_after_sealing(
    home: Home, everyone: Resolve, event: EventMaker
) -> None:
    append(home, [event("a")], everyone)
    seal(home, MONDAY_US)
    assert append(home, [event("a")], everyone) == (Outcome.DUPLICATE,)
    assert append(home, [event("a", quantity=2.0)], everyone) == (Outcome.CONFLICT,)


def test_old_identities_leave_the_log_and_are_still_recognised(
    home: Home, everyone: Resolve, event: EventMaker
) -> None:
    append(home, [event("old"), event("new", at=40 * 86_400)], everyone)
    done = seal(home, MONDAY_US + 40 * DAY_US)
    assert (done.sealed, done.forgotten) == (2, 1)
    late = 40 * 86_400
    assert append(home, [event("old", late=late)], everyone) == (Outcome.DUPLICATE,)
    changed = event("old", late=late, quantity=9.0)
    assert append(home, [changed], everyone) == (Outcome.CONFLICT,)
    assert sealed_ids(home) == ["new", "old"]


def test_sealing_tells_followers_of_the_log_only_what_is_new_to_them(
    home: Home, everyone: Resolve, event: EventMaker
) -> None:
    append(home, [event("a")], everyone)
    before = TileManifest(home).read().history_version
    seal(home, MONDAY_US)
    assert TileManifest(home).read().history_version == before


def test_many_old_identities_leave_in_steps(
    home: Home, everyone: Resolve, event: EventMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "_FORGET_ROWS", 10)
    append(home, [event(str(i)) for i in range(35)] + [event("n", at=40 * 86_400)], everyone)
    assert seal(home, MONDAY_US + 40 * DAY_US).forgotten == 35


def test_a_crash_before_the_commit_loses_and_doubles_nothing(
    home: Home, everyone: Resolve, event: EventMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(home, [event("a"), event("b")], everyone)

    def crash(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(history_writer.HistoryWriter, "commit", crash)
        with pytest.raises(KeyboardInterrupt):
            seal(home, MONDAY_US)
    left_over = list(home.history.glob("day=*/*.parquet"))
    assert left_over
    assert files_of(home) == []
    assert seal(home, MONDAY_US).sealed == 2
    assert sealed_ids(home) == ["a", "b"]
    assert len(list(home.history.glob("day=*/*"))) == len(files_of(home))


def test_a_full_disk_while_sealing_keeps_the_events(
    home: Home, everyone: Resolve, event: EventMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(home, [event("a")], everyone)

    def full(*_: Any, **__: Any) -> None:
        raise StorageFull("full")

    with monkeypatch.context() as patched:
        patched.setattr(history_writer, "write_parquet", full)
        with pytest.raises(StorageFull):
            seal(home, MONDAY_US)
    assert seal(home, MONDAY_US).sealed == 1


def test_large_backlogs_are_sealed_in_steps(
    home: Home, everyone: Resolve, event: EventMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "SEAL_ROWS", 10)
    append(home, [event(f"{i:02d}") for i in range(25)], everyone)
    assert seal(home, MONDAY_US).sealed == 25
    assert len(sealed_ids(home)) == 25


def test_only_one_process_seals(home: Home) -> None:
    open_database(home.events).close()
    with (
        directory_lock(home.history),
        pytest.raises(HomeInUse, match=rf"\({os.getpid()}\).*try again"),
    ):
        seal(home, MONDAY_US)


def test_sealing_is_due_when_events_are_old_or_many(
    home: Home, everyone: Resolve, event: EventMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not seal_due(home, MONDAY_US)
    append(home, [event("a")], everyone)
    assert not seal_due(home, MONDAY_US + HOUR_US // 2)
    assert seal_due(home, MONDAY_US + 2 * HOUR_US)
    monkeypatch.setattr(history, "DUE_ROWS", 1)
    assert seal_due(home, MONDAY_US)
    seal(home, MONDAY_US)
    assert not seal_due(home, MONDAY_US + 2 * HOUR_US)


def test_identities_are_kept_for_five_weeks() -> None:
    assert IDENTITY_US == 35 * DAY_US
    assert time.time_ns() // 1_000 > IDENTITY_US


def test_paths_are_those_of_the_data_model(
    home: Home, everyone: Resolve, event: EventMaker
) -> None:
    append(home, [event("a")], everyone)
    seal(home, MONDAY_US)
    (path,) = paths_of(home, files_of(home))
    assert path.relative_to(home.root).parts[:3] == ("history", "usage", "day=2026-01-05")
    assert isinstance(path, Path)
