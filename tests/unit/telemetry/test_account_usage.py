"""One tenant's days, from the tiles that a fold has written."""

from __future__ import annotations

import pytest

from flyball.errors import StorageError
from flyball.home import Home
from flyball.instant import DAY_US
from flyball.usage import UsageEvent
from telemetry.account_usage import AccountUsage, DayUsage
from telemetry.history import seal
from telemetry.sqlite_store import SqliteEventStore
from telemetry.store import Resolve
from telemetry.tiles import Tiles

from .conftest import MONDAY_US, EventMaker, LimitMaker

DAY = MONDAY_US // DAY_US


def test_a_home_without_tiles_has_no_days(home: Home) -> None:
    assert AccountUsage(home).days("ent_1", ["api.requests"], end_us=MONDAY_US, days=84) == []


def test_days_are_those_of_one_tenant_and_of_the_meters_asked_for(
    home: Home, everyone: Resolve, event: EventMaker, limits: LimitMaker
) -> None:
    store = SqliteEventStore(home.events)
    store.append(
        [
            event(f"{tenant}-{day}", at=day * 86_400 + 60, tenant_id=tenant, quantity=10.0 + day)
            for tenant in ("ent_1", "ent_2")
            for day in range(3)
        ],
        everyone,
    )
    seal(home, MONDAY_US)
    store.close()
    Tiles(home, limits(("ent_1", "api.requests", 0, 10, 3600))).refresh()
    usage = AccountUsage(home)
    found = usage.days("ent_1", ["api.requests"], end_us=MONDAY_US + 2 * DAY_US, days=2)
    assert [(item.day, item.quantity) for item in found] == [(DAY + 1, 11.0), (DAY + 2, 12.0)]
    # The busiest hour had 12 requests where 10 were the limit.
    assert found[1].peak_share == pytest.approx(1.2)
    assert usage.days("ent_1", ["logins"], end_us=MONDAY_US + 2 * DAY_US, days=9) == []


@pytest.fixture
def filled(home: Home, everyone: Resolve, event: EventMaker, limits: LimitMaker) -> Home:
    """Nine days of two tenants' requests, folded."""
    _fold(home, everyone, limits, [_requests(event, tenant, day) for tenant in (1, 2)
                                   for day in range(9)])  # fmt: skip
    return home


def _requests(event: EventMaker, tenant: int, day: int, **more: float) -> UsageEvent:
    key = f"{tenant}-{day}-{more}"
    return event(
        key, at=day * 86_400 + 60, tenant_id=f"ent_{tenant}", quantity=10.0 * tenant + day, **more
    )


def _fold(home: Home, everyone: Resolve, limits: LimitMaker, events: list[UsageEvent]) -> None:
    store = SqliteEventStore(home.events)
    store.append(events, everyone)
    seal(home, MONDAY_US + 9 * DAY_US)
    store.close()
    Tiles(home, limits(("ent_1", "api.requests", 0, 10, 3600))).refresh()


def _days(usage: AccountUsage, tenant: str = "ent_1") -> list[DayUsage]:
    return usage.days(tenant, ["api.requests"], end_us=MONDAY_US + 8 * DAY_US, days=9)


def _gather(usage: AccountUsage, *meters: str) -> bool:
    return usage.gather(meters or ["api.requests"], end_us=MONDAY_US + 8 * DAY_US, days=9)


def _without_tiles(home: Home) -> None:
    for path in (home.tiles / "day").iterdir():
        path.unlink()


def test_gathered_days_are_the_same_and_need_no_tile(filled: Home) -> None:
    usage = AccountUsage(filled)
    before = {tenant: _days(usage, tenant) for tenant in ("ent_1", "ent_2", "ent_3")}
    assert len(before["ent_1"]) == len(before["ent_2"]) == 9
    assert _gather(usage)
    assert not _gather(usage), "nothing is newer"
    _without_tiles(filled)
    assert {tenant: _days(usage, tenant) for tenant in before} == before
    assert _days(AccountUsage(filled)) == before["ent_1"], "another process finds the file"


def test_a_tile_replaced_since_the_gathering_counts_instead_of_what_was_gathered(
    filled: Home, everyone: Resolve, event: EventMaker, limits: LimitMaker
) -> None:
    usage = AccountUsage(filled)
    assert _gather(usage)
    # Arrives on the first day, whose tile is folded anew, and late on the ninth.
    _fold(filled, everyone, limits, [
        _requests(event, 1, 0, late=2.0), _requests(event, 1, 1, late=7 * 86_400.0)
    ])  # fmt: skip
    assert not _gather(usage), "two tiles are few"
    found = {item.day - DAY: item.quantity for item in _days(usage)}
    assert (found[0], found[1], found[2]) == (20.0, 22.0, 12.0)


def test_a_meter_that_was_not_gathered_is_read_from_the_tiles(filled: Home) -> None:
    usage = AccountUsage(filled)
    assert _gather(usage, "logins")
    assert len(_days(usage)) == 9
    assert _gather(usage), "so the meter is gathered as soon as it is asked for"


def test_a_damaged_gathered_file_is_done_without_and_gathered_again(filled: Home) -> None:
    usage = AccountUsage(filled)
    assert _gather(usage)
    (path,) = filled.account_usage.glob("*.parquet")
    path.write_bytes(b"PAR1, or so it says")
    assert len(_days(usage)) == 9
    assert _gather(usage)
    path.write_bytes(b"PAR1, or so it says")
    assert len(_days(AccountUsage(filled))) == 9


def test_gathering_leaves_one_file_and_the_one_before_it(filled: Home) -> None:
    usage = AccountUsage(filled)
    for meters in (["a"], ["a", "b"], ["a", "b", "c"]):
        assert _gather(usage, *meters)
    assert len(list(filled.account_usage.iterdir())) == 2


def test_what_is_closed_gathers_no_more(filled: Home) -> None:
    usage = AccountUsage(filled)
    usage.close()
    with pytest.raises(StorageError, match="closing"):
        _gather(usage)
    assert len(_days(usage)) == 9
