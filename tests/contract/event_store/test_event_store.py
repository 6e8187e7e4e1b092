"""What every event log promises (``telemetry.store.EventStore``)."""

from __future__ import annotations

import threading
from dataclasses import replace

from flyball.meter import STANDARD_METERS, Aggregation, Meter
from flyball.usage import UsageEvent
from telemetry.store import EventStore, KnownTenant, Outcome

_T = 1_767_571_200_000_000
EVENT = UsageEvent(
    tenant_id="ent_1",
    source="gw",
    event_id="e1",
    time_us=_T,
    arrived_us=_T + 5_000_000,
    meter="api.requests",
    quantity=3.0,
    endpoint="/v1/a",
)
_NAMES = {"ent_1": "ent_1", "ent_2": "ent_2", "key-1": "ent_1"}


def known(name: str) -> KnownTenant | None:
    tenant = _NAMES.get(name)
    return None if tenant is None else KnownTenant(tenant, _T - 1)


def numbered(count: int, tenant: str = "ent_1") -> list[UsageEvent]:
    return [
        replace(EVENT, tenant_id=tenant, event_id=f"n{i}", time_us=_T + i) for i in range(count)
    ]


def test_nothing_is_accepted_without_events(store: EventStore) -> None:
    assert store.append([], known).outcomes == ()


def test_an_event_is_accepted_once_and_a_duplicate_after(store: EventStore) -> None:
    assert store.append([EVENT, EVENT], known).outcomes == (Outcome.ACCEPTED, Outcome.DUPLICATE)
    again = replace(EVENT, arrived_us=EVENT.arrived_us + 99)
    assert store.append([again], known).outcomes == (Outcome.DUPLICATE,)
    assert store.events_since(0) == [EVENT]


def test_outcomes_are_in_the_order_of_the_events(store: EventStore) -> None:
    store.append([EVENT], known)
    sent = [replace(EVENT, event_id="new"), EVENT, replace(EVENT, tenant_id="who")]
    outcomes = store.append(sent, known).outcomes
    assert outcomes == (Outcome.ACCEPTED, Outcome.DUPLICATE, Outcome.PENDING)


def test_other_content_is_refused_and_kept_for_inspection(store: EventStore) -> None:
    store.append([EVENT], known)
    for changed in (
        replace(EVENT, quantity=4.0),
        replace(EVENT, meter="exports"),
        replace(EVENT, endpoint="/v1/b"),
        replace(EVENT, time_us=_T + 1),
    ):
        assert store.append([changed], known).outcomes == (Outcome.CONFLICT,)
        assert changed in store.conflicts()
    assert store.conflict_count() == 4
    assert store.events_since(0) == [EVENT]


def test_a_conflict_posted_again_is_kept_once(store: EventStore) -> None:
    store.append([EVENT], known)
    changed = replace(EVENT, quantity=4.0)
    store.append([changed, changed], known)
    store.append([changed], known)
    assert store.conflict_count() == 1


def test_an_event_without_a_time_of_its_own_may_be_posted_again_later(store: EventStore) -> None:
    first = replace(EVENT, time_us=_T, arrived_us=_T)
    later = replace(EVENT, time_us=_T + 60, arrived_us=_T + 60)
    assert store.append([first, later], known).outcomes == (Outcome.ACCEPTED, Outcome.DUPLICATE)


def test_identity_is_tenant_source_and_id(store: EventStore) -> None:
    others = [
        EVENT,
        replace(EVENT, tenant_id="ent_2"),
        replace(EVENT, source="gw2"),
        replace(EVENT, event_id="e2"),
    ]
    assert set(store.append(others, known).outcomes) == {Outcome.ACCEPTED}


def test_an_alias_means_its_tenant(store: EventStore) -> None:
    store.append([EVENT], known)
    assert store.append([replace(EVENT, tenant_id="key-1")], known).outcomes == (Outcome.DUPLICATE,)
    store.append([replace(EVENT, tenant_id="key-1", event_id="e2")], known)
    assert store.changes_since(0).tenants == ("ent_1",)


def test_events_before_the_account_are_refused(store: EventStore) -> None:
    early = replace(EVENT, time_us=_T - 2)
    assert store.append([early], known).outcomes == (Outcome.BEFORE_ACCOUNT,)
    assert store.events_since(0) == []


def test_events_of_unknown_tenants_wait_for_the_account(store: EventStore) -> None:
    unknown = [replace(EVENT, tenant_id="new_co", event_id=f"p{i}") for i in range(3)]
    assert set(store.append(unknown, known).outcomes) == {Outcome.PENDING}
    assert set(store.append(unknown, known).outcomes) == {Outcome.PENDING}
    assert dict(store.pending()) == {"new_co": 3}
    assert store.changes_since(0).tenants == ()
    assert store.release(known).outcomes == ()

    released = store.release(lambda name: KnownTenant("ent_9", 0))
    assert released.counts() == {Outcome.ACCEPTED: 3}
    assert dict(store.pending()) == {}
    assert store.changes_since(0).tenants == ("ent_9",)
    assert {e.arrived_us for e in store.events_since(0)} == {EVENT.arrived_us}


def test_release_can_be_limited_to_names(store: EventStore) -> None:
    store.append([replace(EVENT, tenant_id=name) for name in ("a", "b")], lambda _: None)
    store.release(lambda name: KnownTenant(name, 0), ["b", "nobody"])
    assert dict(store.pending()) == {"a": 1}


def test_pending_events_older_than_the_account_go_on_waiting(store: EventStore) -> None:
    store.append([replace(EVENT, tenant_id="new", event_id=f"{i}") for i in range(3)], known)
    store.append([replace(EVENT, tenant_id="new", event_id="old", time_us=_T - 9)], known)
    assert store.oldest_pending_us(["other", "new"]) == _T - 9
    assert store.oldest_pending_us(["other"]) is None
    released = store.release(lambda name: KnownTenant(name, _T)).counts()
    assert released == {Outcome.ACCEPTED: 3, Outcome.BEFORE_ACCOUNT: 1}
    assert dict(store.pending()) == {"new": 1}
    assert store.release(lambda name: KnownTenant(name, 0)).outcomes == (Outcome.ACCEPTED,)
    assert dict(store.pending()) == {}


def test_a_pending_event_with_other_content_is_a_conflict(store: EventStore) -> None:
    event = replace(EVENT, tenant_id="new_co")
    store.append([event], known)
    outcomes = store.append([replace(event, quantity=9.0)], known).outcomes
    assert outcomes == (Outcome.CONFLICT,)
    assert dict(store.pending()) == {"new_co": 1}


def test_a_released_event_that_is_known_already_counts_once(store: EventStore) -> None:
    store.append([replace(EVENT, tenant_id="late-key")], known)
    store.append([EVENT], known)
    released = store.release(lambda _: KnownTenant("ent_1", 0))
    assert released.outcomes == (Outcome.DUPLICATE,)
    assert len(store.events_since(0)) == 1


def test_the_cursor_shows_every_accepted_event_once(store: EventStore) -> None:
    store.append(numbered(3), known)
    first = store.changes_since(0)
    assert first.tenants == ("ent_1",)
    assert store.changes_since(first.cursor) == ((), first.cursor)
    store.append(numbered(2, "ent_2"), known)
    second = store.changes_since(first.cursor)
    assert second.tenants == ("ent_2",)
    assert [e.tenant_id for e in store.events_since(first.cursor)] == ["ent_2", "ent_2"]
    assert len(store.events_since(0, limit=4)) == 4


def test_duplicates_do_not_change_a_tenant(store: EventStore) -> None:
    store.append(numbered(3), known)
    cursor = store.changes_since(0).cursor
    store.append(numbered(3), known)
    assert store.changes_since(cursor).tenants == ()


def test_many_senders_at_once_lose_and_double_nothing(store: EventStore) -> None:
    receipts: list[Outcome] = []

    def send() -> None:
        for start in range(0, 200, 20):
            receipts.extend(store.append(numbered(200)[start : start + 20], known).outcomes)

    senders = [threading.Thread(target=send) for _ in range(4)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert receipts.count(Outcome.ACCEPTED) == 200
    assert receipts.count(Outcome.DUPLICATE) == 600
    assert len(store.events_since(0)) == 200


def test_declared_meters_are_known_beside_the_standard_ones(store: EventStore) -> None:
    assert store.meters() == dict(STANDARD_METERS)
    mine = Meter(name="pdf.pages", unit="page", aggregation=Aggregation.SUM)
    coarse = replace(STANDARD_METERS["api.requests"], counts="accepted", resolution_seconds=3600)
    store.declare_meters([mine, coarse])
    assert store.meters() == {**STANDARD_METERS, "pdf.pages": mine, "api.requests": coarse}
    store.declare_meters([replace(mine, unit="sheet")])
    assert store.meters()["pdf.pages"].unit == "sheet"
