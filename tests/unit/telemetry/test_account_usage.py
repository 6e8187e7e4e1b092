"""One tenant's days, from the tiles that a fold has written."""

from __future__ import annotations

import pytest

from flyball.home import Home
from flyball.instant import DAY_US
from telemetry.account_usage import AccountUsage
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
