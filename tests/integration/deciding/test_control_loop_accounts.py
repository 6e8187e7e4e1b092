"""Accounts that come, change their names and leave are followed by the control loop."""

from __future__ import annotations

from typing import Any

from flyball.home import Home
from flyball.instant import SECOND_US
from ledger.records import Subscription, SubscriptionKind
from ledger.sqlite_ledger import SqliteLedger
from serving.control_loop import ControlLoop
from serving.snapshot.reader import SnapshotReader
from tests.integration.deciding.looping import Clock, served


def test_a_new_account_and_its_alias_appear(
    loop: ControlLoop, reader: SnapshotReader, kit: Any, clock: Clock, trained: Home
) -> None:
    loop.tick()
    clock.at_us += SECOND_US
    at = {"created_us": clock.at_us, "effective_us": clock.at_us, "known_us": clock.at_us}
    with SqliteLedger(trained.ledger) as ledger:
        ledger.put_account(kit.account("newcomer", **at))
    assert loop.tick() == 1
    answer = served(reader, "key-newcomer")
    assert answer["tenantId"] == "newcomer"
    # Nobody is tightened in the first days.
    assert answer["dynamicMultiplier"] == 1.0
    with SqliteLedger(trained.ledger) as ledger:
        moved = at | {"effective_us": clock.at_us + 1, "known_us": clock.at_us + 1}
        ledger.put_account(kit.account("newcomer", aliases=("other-key",), **moved))
    clock.at_us += SECOND_US
    loop.tick()
    assert served(reader, "other-key")["tenantId"] == "newcomer"
    assert served(reader, "key-newcomer")["source"] == "unknown_tenant"


def test_a_tenant_that_left_is_unknown_again(
    loop: ControlLoop, reader: SnapshotReader, clock: Clock, trained: Home
) -> None:
    loop.tick()
    left = Subscription(
        subscription_id="s1",
        tenant_id="ent_05",
        time_us=clock.at_us,
        known_us=clock.at_us,
        kind=SubscriptionKind.CHURNED,
    )
    with SqliteLedger(trained.ledger) as ledger:
        ledger.import_subscriptions([left])
    clock.at_us += SECOND_US
    loop.tick()
    loop.tick()
    assert served(reader, "ent_05")["source"] == "unknown_tenant"
    assert served(reader, "ent_06")["source"] == "fresh"
