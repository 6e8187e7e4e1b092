"""What happened to a tenant, from every table that knows of it."""

from __future__ import annotations

from flyball.instant import DAY_US
from flyball.override import OverrideKind
from ledger.records import Intervention, Subscription, SubscriptionKind
from ledger.store import Ledger
from tests.contract.ledger_store.records import NOW, account, decision


def test_everything_is_told_newest_first_and_only_of_this_tenant(ledger: Ledger) -> None:
    ledger.put_account(account("t1"))
    ledger.put_account(account("t2"))
    ledger.append_decisions([decision("t1"), decision("t2")])
    ledger.import_subscriptions(
        [
            Subscription(
                subscription_id="s1",
                tenant_id="t1",
                time_us=NOW + DAY_US,
                known_us=NOW + DAY_US,
                kind=SubscriptionKind.RENEWED,
                plan="",
                mrr_minor=None,
            )
        ]
    )
    ledger.import_interventions(
        [
            Intervention(
                tenant_id="t1",
                time_us=NOW + 2 * DAY_US,
                known_us=NOW + 2 * DAY_US,
                kind="call",
                note="asked for room",
            )
        ]
    )
    ledger.add_override(
        "t1", OverrideKind.FORCE_NEUTRAL, author="ann", reason="escalation",
        now_us=NOW + 3 * DAY_US, expires_us=NOW + 9 * DAY_US,
    )  # fmt: skip
    told = ledger.happenings("t1", now_us=NOW + 5 * DAY_US)
    assert [item.kind for item in told] == ["override", "intervention", "outcome", "decision"]
    assert (told[0].author, told[0].text) == ("ann", "escalation")
    assert told[1].text == "asked for room"
    assert (told[3].what, told[3].arm) == ("explored", 85)


def test_a_decision_is_told_where_the_multiplier_moved(ledger: Ledger) -> None:
    arms = [85, 85, 100, 100, 85]
    ledger.append_decisions(
        [decision(start=NOW + week * 7 * DAY_US, arm=arm) for week, arm in enumerate(arms)]
    )
    told = ledger.happenings("t1", now_us=NOW + 100 * DAY_US)
    assert [item.arm for item in told] == [85, 100, 85]


def test_the_future_is_not_told(ledger: Ledger) -> None:
    ledger.append_decisions([decision(start=NOW + DAY_US)])
    assert ledger.happenings("t1", now_us=NOW) == []
