from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from features.inputs import LOOKBACK_DAYS
from flyball.home import Home
from flyball.instant import DAY_US, HOUR_US
from flyball.meter import STANDARD_METERS
from flyball.usage import UsageEvent
from serving.relations import lookback_days
from telemetry import arrivals as arrivals_module
from telemetry import tiles as tiles_module
from telemetry.history import seal
from telemetry.sqlite_store import SqliteEventStore
from telemetry.store import Resolve
from telemetry.tile_manifest import TileManifest
from telemetry.tiles import Tiles

from .conftest import MONDAY_US, EventMaker, LimitMaker

DAY = MONDAY_US // DAY_US


@pytest.fixture
def store(home: Home) -> Iterator[SqliteEventStore]:
    opened = SqliteEventStore(home.events)
    yield opened
    opened.close()


def week(event: EventMaker) -> list[UsageEvent]:
    """Hourly events of two tenants for a week; every seventh arrives a day and a half late."""
    return [
        event(
            f"{tenant}-{hour}",
            at=hour * 3600,
            late=129_600 if hour % 7 == 0 else 1,
            tenant_id=tenant,
            quantity=float(hour % 24),
        )
        for tenant in ("ent_1", "ent_2")
        for hour in range(168)
    ]


def rows(tiles: Tiles, relation: str, **options: Any) -> list[tuple[Any, ...]]:
    connection = duckdb.connect()
    try:
        tiles.register(connection, **options)
        return list(connection.execute(f"SELECT * FROM usage_{relation} ORDER BY ALL").fetchall())
    finally:
        connection.close()


def test_an_empty_home_has_empty_relations(home: Home, limits: LimitMaker) -> None:
    tiles = Tiles(home, limits())
    assert rows(tiles, "hour") == rows(tiles, "day") == []
    assert not home.root.exists()


def test_sealed_and_unsealed_events_fold_alike(
    home: Home, store: SqliteEventStore, everyone: Resolve, event: EventMaker, limits: LimitMaker
) -> None:
    tiles = Tiles(home, limits(("ent_1", "api.requests", 0, 10, 3600)))
    store.append(week(event), everyone)
    before = {relation: rows(tiles, relation) for relation in ("hour", "day")}
    seal(home, MONDAY_US)
    assert {relation: rows(tiles, relation) for relation in ("hour", "day")} == before
    assert len(before["hour"]) == 336
    tiles.refresh()
    assert {relation: rows(tiles, relation) for relation in ("hour", "day")} == before


def test_a_day_half_sealed_folds_like_a_whole_one(
    home: Home, store: SqliteEventStore, everyone: Resolve, event: EventMaker, limits: LimitMaker
) -> None:
    tiles = Tiles(home, limits(("ent_1", "api.requests", 0, 10, 60)))
    events = week(event)
    store.append(events[::2], everyone)
    seal(home, MONDAY_US)
    store.append(events[1::2], everyone)
    halves = {relation: rows(tiles, relation) for relation in ("hour", "day")}
    seal(home, MONDAY_US)
    assert {relation: rows(tiles, relation) for relation in ("hour", "day")} == halves
    assert len(halves["hour"]) == 336


def test_history_sealed_in_parts_folds_like_history_sealed_at_once(
    home: Home,
    tmp_path: Path,
    everyone: Resolve,
    event: EventMaker,
    limits: LimitMaker,
) -> None:
    limit = limits(("ent_1", "api.requests", 0, 10, 3600))
    events = week(event)
    whole, parts = Home(tmp_path / "whole"), Home(tmp_path / "parts")
    for target, pieces in ((whole, [events]), (parts, [events[::3], events[1::3], events[2::3]])):
        store = SqliteEventStore(target.events)
        for piece in pieces:
            store.append(piece, everyone)
            seal(target, MONDAY_US)
            Tiles(target, limit).refresh()
        store.close()
    for relation in ("hour", "day"):
        assert rows(Tiles(whole, limit), relation) == rows(Tiles(parts, limit), relation)


def test_only_what_changed_is_folded_again(
    home: Home, store: SqliteEventStore, everyone: Resolve, event: EventMaker, limits: LimitMaker
) -> None:
    tiles = Tiles(home, limits(("ent_1", "api.requests", 0, 10, 3600)))
    store.append([event(str(d), at=d * 86_400) for d in range(5)], everyone)
    seal(home, MONDAY_US)
    assert tiles.refresh().folded_days == tuple(range(DAY, DAY + 5))
    assert tiles.refresh().folded_days == ()
    store.append([event("late", at=86_400, late=2 * 86_400)], everyone)
    seal(home, MONDAY_US)
    assert tiles.refresh().folded_days == (DAY + 3,)


def test_a_new_limit_folds_its_day_and_later_ones_again(
    home: Home, store: SqliteEventStore, everyone: Resolve, event: EventMaker, limits: LimitMaker
) -> None:
    store.append([event(str(d), at=d * 86_400) for d in range(5)], everyone)
    seal(home, MONDAY_US)
    first = ("ent_1", "api.requests", 0, 10, 3600)
    Tiles(home, limits(first)).refresh()
    changed = limits(first, ("ent_1", "api.requests", (DAY + 3) * 24, 20, 3600))
    assert Tiles(home, changed).refresh().folded_days == (DAY + 3, DAY + 4)
    assert Tiles(home, changed.take([1, 0])).refresh().folded_days == ()


def test_a_declared_meter_folds_everything_again(
    home: Home, store: SqliteEventStore, everyone: Resolve, event: EventMaker, limits: LimitMaker
) -> None:
    tiles = Tiles(home, limits())
    store.append([event("a")], everyone)
    seal(home, MONDAY_US)
    tiles.refresh()
    meter = STANDARD_METERS["api.requests"]
    store.declare_meters([meter])
    assert tiles.refresh().folded_days == ()
    store.declare_meters([type(meter)(**{**_fields(meter), "resolution_seconds": 3600})])
    assert tiles.refresh().folded_days == (DAY,)


def _fields(meter: Any) -> dict[str, Any]:
    return {name: getattr(meter, name) for name in type(meter).__dataclass_fields__}


def test_live_holds_the_hours_of_its_day_alone(
    home: Home, store: SqliteEventStore, everyone: Resolve, event: EventMaker, limits: LimitMaker
) -> None:
    store.append(week(event), everyone)
    tiles = Tiles(home, limits())
    now_us = MONDAY_US + 2 * DAY_US + 5 * HOUR_US + 1
    hours = rows(tiles, "hour", now_us=now_us, live=True)
    everything = rows(tiles, "hour")
    first, last = (DAY + 2) * 24, now_us // HOUR_US
    assert hours == [row for row in everything if first <= row[3] <= last]
    assert hours
    seal(home, MONDAY_US)
    assert rows(tiles, "hour", now_us=now_us, live=True) == hours


def test_hour_tiles_are_folded_only_for_days_asked_about(
    home: Home, store: SqliteEventStore, everyone: Resolve, event: EventMaker, limits: LimitMaker
) -> None:
    store.append(week(event), everyone)
    seal(home, MONDAY_US)
    tiles = Tiles(home, limits())
    assert rows(tiles, "hour", as_of_hours=[DAY * 24, (DAY + 1) * 24]) == []
    asked = rows(tiles, "hour", as_of_hours=[(DAY + 1) * 24 + 5])
    assert {row[3] // 24 for row in asked} == {DAY + 1}
    assert len(list((home.tiles / "hour").glob("*.parquet"))) == 1


def test_days_that_nobody_looks_back_on_are_neither_folded_nor_read(
    home: Home, store: SqliteEventStore, everyone: Resolve, event: EventMaker, limits: LimitMaker
) -> None:
    store.append([event(str(d), at=d * 86_400) for d in range(60)], everyone)
    seal(home, MONDAY_US)
    tiles = Tiles(home, limits())
    asked = rows(tiles, "day", as_of_hours=[(DAY + 50) * 24])
    assert [row[3] for row in asked] == list(range(DAY + 20, DAY + 51))
    assert len(list((home.tiles / "day").glob("*.parquet"))) == 31
    assert rows(tiles, "day", now_us=MONDAY_US + 50 * DAY_US, as_of_hours=()) == asked
    assert tiles.refresh().folded_days == (*range(DAY, DAY + 20), *range(DAY + 51, DAY + 60))


def test_the_newest_day_is_read_however_old(
    home: Home, store: SqliteEventStore, everyone: Resolve, event: EventMaker, limits: LimitMaker
) -> None:
    store.append([event("a"), event("b", at=86_400)], everyone)
    seal(home, MONDAY_US)
    (newest,) = rows(Tiles(home, limits()), "day", as_of_hours=[(DAY + 300) * 24])
    assert newest[3] == DAY + 1


def test_what_is_looked_back_on_is_what_features_read() -> None:
    assert tiles_module.LOOKBACK_DAYS == LOOKBACK_DAYS == lookback_days()


def test_later_arrivals_than_now_are_left_out(
    home: Home, store: SqliteEventStore, everyone: Resolve, event: EventMaker, limits: LimitMaker
) -> None:
    store.append(week(event), everyone)
    days = rows(Tiles(home, limits()), "day", now_us=MONDAY_US + DAY_US)
    assert max(row[3] for row in days) == DAY + 1


def test_registering_again_replaces_the_relations(
    home: Home, store: SqliteEventStore, everyone: Resolve, event: EventMaker, limits: LimitMaker
) -> None:
    tiles = Tiles(home, limits())
    connection = duckdb.connect()
    for count, live in ((1, True), (2, False), (3, True), (4, False)):
        store.append([event(f"n{count}")], everyone)
        tiles.register(connection, now_us=MONDAY_US, live=live)
        total = connection.execute("SELECT sum(event_count) FROM usage_day").fetchall()
        assert total == [(count,)]
    connection.close()


def test_many_days_are_folded_in_groups(
    home: Home,
    store: SqliteEventStore,
    everyone: Resolve,
    event: EventMaker,
    limits: LimitMaker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store.append(week(event), everyone)
    seal(home, MONDAY_US)
    tiles = Tiles(home, limits())
    expected = rows(tiles, "day")
    monkeypatch.setattr(arrivals_module, "FOLD_ROWS", 50)
    seen: list[tuple[int, int]] = []
    changed = Tiles(home, limits(("ent_1", "api.requests", 0, 10, 86_400)))
    changed.refresh(progress=lambda done, total: seen.append((done, total)))
    assert len(seen) > 3
    assert seen[-1] == (336, 336)
    assert rows(changed, "day") == expected


def test_a_long_history_that_arrived_at_once_is_folded_in_batches(
    home: Home,
    store: SqliteEventStore,
    everyone: Resolve,
    event: EventMaker,
    limits: LimitMaker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    events = [
        event(f"{hour}", at=hour * 3600, late=(200 - hour) * 3600, tenant_id=f"ent_{hour % 5}")
        for hour in range(168)
    ]
    store.append(events, everyone)
    seal(home, MONDAY_US)
    tiles = Tiles(home, limits(("ent_1", "api.requests", 0, 10, 60)))
    expected = {relation: rows(tiles, relation) for relation in ("hour", "day")}
    monkeypatch.setattr(arrivals_module, "FOLD_ROWS", 20)
    monkeypatch.setattr(tiles_module, "FOLD_VERSION", "another")
    assert {relation: rows(tiles, relation) for relation in ("hour", "day")} == expected
    assert len(expected["hour"]) == 168


def test_a_crash_between_files_and_manifest_costs_only_work(
    home: Home,
    store: SqliteEventStore,
    everyone: Resolve,
    event: EventMaker,
    limits: LimitMaker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store.append(week(event), everyone)
    seal(home, MONDAY_US)
    tiles = Tiles(home, limits())

    def crash(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(TileManifest, "replace", crash)
        with pytest.raises(KeyboardInterrupt):
            tiles.refresh()
    assert list((home.tiles / "day").glob("*.parquet"))
    assert len(tiles.refresh().folded_days) == 9
    assert len(rows(tiles, "hour")) == 336


def test_replaced_tiles_stay_a_while_for_their_readers(
    home: Home, store: SqliteEventStore, everyone: Resolve, event: EventMaker, limits: LimitMaker
) -> None:
    tiles = Tiles(home, limits())
    store.append([event("a")], everyone)
    seal(home, MONDAY_US)
    reader = duckdb.connect()
    tiles.register(reader, as_of_hours=())
    store.append([event("b")], everyone)
    seal(home, MONDAY_US)
    tiles.refresh()
    tiles.refresh()
    assert reader.execute("SELECT sum(event_count) FROM usage_day").fetchall() == [(1,)]
    reader.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_home_that_cannot_be_written_is_still_read(
    home: Home, store: SqliteEventStore, everyone: Resolve, event: EventMaker, limits: LimitMaker
) -> None:
    store.append([event("a")], everyone)
    seal(home, MONDAY_US)
    home.root.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        assert len(rows(Tiles(home, limits()), "day")) == 1
    finally:
        home.root.chmod(0o700)
