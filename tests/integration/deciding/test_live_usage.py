"""Live features are offline features: what the loop holds gives what a fresh pass gives."""

from __future__ import annotations

import random
from typing import Any

import pytest

from flyball.home import Home
from flyball.instant import HOUR_US, MINUTE_US
from ledger.sqlite_ledger import SqliteLedger
from serving.clock import EventClock
from serving.live_usage import LiveUsage
from serving.relations import connect, features_at, newest_arrival_us
from telemetry.history import seal


@pytest.mark.parametrize("seed", [1, 2])
def test_live_features_equal_offline_features(seed: int, home: Home, kit: Any) -> None:
    chance = random.Random(seed)
    with SqliteLedger(home.ledger) as ledger:
        usage = LiveUsage(home, ledger)
        at_us = kit.now_us
        usage.load(at_us)
        touched: set[str] = set()
        for _ in range(12):
            at_us += MINUTE_US * chance.randint(1, 20)
            tenant = chance.choice(kit.tenants)
            kit.spike(home, tenant, at_us, float(chance.randint(1, 5_000)))
            touched.add(tenant)
            if chance.random() < 0.2:
                seal(home, at_us)
            news = usage.follow()
            assert not news.reload
            assert news.tenants == {tenant}
        # Rows of the open hour count live; offline they count from the next whole hour on.
        as_of_hour = at_us // HOUR_US + 1
        live = features_at(usage.connection_for(touched), touched, as_of_hour)
        everybody = features_at(usage.connection_for(None), kit.tenants, as_of_hour)
        offline_connection = connect(home, ledger, as_of_us=as_of_hour * HOUR_US)
        offline = features_at(offline_connection, kit.tenants, as_of_hour)
        newest = newest_arrival_us(offline_connection, as_of_hour)
        usage.close()
    assert everybody.equals(offline)
    rows = {row["tenant_id"]: row for row in offline.to_pylist()}
    for row in live.to_pylist():
        assert repr(row) == repr(rows[row["tenant_id"]])
    assert newest is not None
    assert abs(newest - at_us) <= HOUR_US


def test_the_event_clock_follows_history_and_live_events(home: Home, kit: Any) -> None:
    clock = EventClock(home)
    first_us = clock.now_us()
    assert first_us == kit.now_us - HOUR_US
    kit.spike(home, "ent_01", kit.now_us + 5)
    assert clock.now_us() == kit.now_us + 5
    # An older event does not turn time back.
    kit.spike(home, "ent_02", kit.now_us + 3)
    assert clock.now_us() == kit.now_us + 5
    assert EventClock(home).now_us() == kit.now_us + 5
