"""Subscriptions, interventions, tickets and incidents."""

from __future__ import annotations

from dataclasses import replace

from flyball.instant import DAY_US
from ledger.records import Incident, Intervention, Severity, Subscription, SubscriptionKind, Ticket
from ledger.store import Ledger
from tests.contract.ledger_store.records import NOW, account

CHURNED = Subscription(
    subscription_id="s1", tenant_id="t1", time_us=NOW, known_us=NOW + DAY_US,
    kind=SubscriptionKind.CHURNED,
)  # fmt: skip
URGENT = Ticket(
    ticket_id="k1", tenant_id="t1", opened_us=NOW, known_us=NOW, severity=Severity.URGENT
)
OUTAGE = Incident(incident_id="i1", from_us=NOW, known_us=NOW)


def test_subscriptions_count_once_and_conflicts_are_refused(ledger: Ledger) -> None:
    started = replace(
        CHURNED, subscription_id="s0", time_us=NOW - DAY_US, kind=SubscriptionKind.STARTED,
        plan="free", mrr_minor=100,
    )  # fmt: skip
    report = ledger.import_subscriptions([CHURNED, started, CHURNED])
    assert (report.accepted, report.duplicates) == (2, 1)
    again = ledger.import_subscriptions([replace(CHURNED, time_us=NOW + 1)])
    assert [r.code for r in again.conflicts] == ["conflict"]
    assert ledger.subscriptions("t1") == [started, CHURNED]


def test_a_subscription_learned_of_twice_is_known_since_the_first_time(ledger: Ledger) -> None:
    ledger.import_subscriptions([CHURNED, replace(CHURNED, known_us=NOW + 9 * DAY_US)])
    assert ledger.subscriptions("t1") == [CHURNED]


def test_equal_interventions_are_one(ledger: Ledger) -> None:
    call = Intervention(tenant_id="t1", time_us=NOW, known_us=NOW, kind="call", note="asked")
    assert ledger.import_interventions([call, call]).duplicates == 1
    assert ledger.import_interventions([call, replace(call, note="other")]).accepted == 1
    assert len(ledger.interventions("t1")) == 2


def test_a_ticket_is_open_until_it_is_known_to_be_closed(ledger: Ledger) -> None:
    ledger.import_tickets([URGENT])
    closed = replace(URGENT, closed_us=NOW + DAY_US, known_us=NOW + 2 * DAY_US)
    assert ledger.import_tickets([closed]).accepted == 1
    assert ledger.open_tickets(NOW - 1) == {}
    assert ledger.open_tickets(NOW + DAY_US) == {"t1": [URGENT]}
    assert ledger.open_tickets(NOW + DAY_US, ["t2"]) == {}
    assert ledger.open_tickets(NOW + 2 * DAY_US) == {}
    assert ledger.tickets("t1") == [closed]


def test_a_ticket_imported_when_closed_was_open_before(ledger: Ledger) -> None:
    closed = replace(URGENT, closed_us=NOW + DAY_US, known_us=NOW + DAY_US)
    assert ledger.import_tickets([closed]).accepted == 1
    assert ledger.open_tickets(NOW + 1) == {"t1": [URGENT]}
    assert ledger.open_tickets(NOW + DAY_US) == {}
    again = ledger.import_tickets([closed, URGENT])
    assert (again.accepted, again.duplicates) == (0, 2)
    assert ledger.open_tickets(NOW + DAY_US) == {}


def test_a_ticket_is_not_handed_to_another_tenant(ledger: Ledger) -> None:
    report = ledger.import_tickets([URGENT, replace(URGENT, tenant_id="t2")])
    assert [(r.index, r.code) for r in report.conflicts] == [(1, "conflict")]


def test_an_incident_lasts_until_it_is_known_to_be_over(ledger: Ledger) -> None:
    ledger.import_incidents([OUTAGE])
    assert ledger.open_incidents(NOW + DAY_US) == [OUTAGE]
    over = replace(OUTAGE, to_us=NOW + DAY_US, known_us=NOW + DAY_US)
    assert ledger.import_incidents([over, over, OUTAGE]).duplicates == 2
    assert ledger.open_incidents(NOW + DAY_US - 1) == [OUTAGE]
    assert ledger.open_incidents(NOW + DAY_US) == []


def test_a_bare_scope_means_the_tenant_of_that_name_or_else_the_region(ledger: Ledger) -> None:
    ledger.put_account(account("t1"))
    bare = [
        replace(OUTAGE, incident_id="i1", scope_kind="", scope="t1"),
        replace(OUTAGE, incident_id="i2", scope_kind="", scope="eu"),
    ]
    ledger.import_incidents(bare)
    kinds = [(i.scope_kind, i.scope) for i in ledger.open_incidents(NOW)]
    assert kinds == [("tenant", "t1"), ("region", "eu")]
