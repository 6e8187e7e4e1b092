"""RLQS: the real Envoy counts by itself, with quotas that a real `flyball serve` assigns."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.records import PlanEntry
from ledger.sqlite_ledger import SqliteLedger
from telemetry.sqlite_store import SqliteEventStore
from tests.contract.ledger_store.records import NOW, account, plan
from tests.integration.gateways.asking_gateway import AskingGateway
from tests.integration.gateways.asking_rules import hourly
from tests.integration.gateways.envoy.envoy_process import envoy
from tests.integration.gateways.service_behind import ServiceBehind
from tests.integration.node.server import Server
from tests.integration.service.running import entry


@pytest.fixture
def gateway(server: Server, behind: ServiceBehind, tmp_path: Path) -> Iterator[AskingGateway]:
    # The stream has no deadline; reports come sooner than shipped, so that the test ends sooner.
    changes = {"reporting_interval: 5s": "reporting_interval: 1s"}
    with envoy("quota", tmp_path, server, behind.port, changes=changes) as running:
        yield running


def subscribe(gateway: AskingGateway, key: str = "demo-key-1") -> None:
    """The first request of a bucket passes before anything is assigned; wait until that is."""
    assert gateway.get(key).status_code == 200
    time.sleep(1.0)


def usage(server: Server, tenant: str) -> dict[str, float]:
    store = SqliteEventStore(server.home.events)
    try:
        found: dict[str, float] = {}
        for event in store.events_since(0):
            if event.tenant_id == tenant:
                found[event.meter] = found.get(event.meter, 0) + event.quantity
        return found
    finally:
        store.close()


def test_tenants_get_quotas_of_their_own_that_follow_the_decision(
    server: Server, gateway: AskingGateway
) -> None:
    one, two = gateway.tenants
    server.publish_all(hourly(70, one, base=10), hourly(100, two, base=20))
    time.sleep(0.5)  # until the service has mapped the snapshot
    subscribe(gateway)
    subscribe(gateway, "demo-key-2")
    assert gateway.passing() == 7
    assert gateway.passing("demo-key-2") == 20
    refused = gateway.get()
    assert refused.status_code == 429
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["planUrl"] == "https://example.com/plan"
    assert gateway.get("demo-key-3").status_code == 401


def test_a_change_arrives_within_two_seconds_and_is_no_fresh_bucket(
    server: Server, gateway: AskingGateway
) -> None:
    one, two = gateway.tenants
    server.publish_all(hourly(100, one, base=20), hourly(100, two, base=20))
    time.sleep(0.5)  # until the service has mapped the snapshot
    for key in ("demo-key-1", "demo-key-2"):
        subscribe(gateway, key)
    assert gateway.passing(most=10) == 10
    assert gateway.passing("demo-key-2") == 20
    server.publish(hourly(130, one, base=20), hourly(130, two, base=20))
    time.sleep(1.9)
    # Envoy carries over the share that is left: half of 26, and nothing of nothing.
    assert gateway.passing() == 13
    assert gateway.passing("demo-key-2") == 0


def test_it_goes_on_with_what_is_assigned_while_the_service_is_dead(
    server: Server, gateway: AskingGateway
) -> None:
    one, two = gateway.tenants
    server.publish_all(hourly(70, one, base=10), hourly(100, two, base=20))
    time.sleep(0.5)  # until the service has mapped the snapshot
    subscribe(gateway)
    assert gateway.passing() == 7
    server.kill()
    assert gateway.get().status_code == 429
    # Nothing is assigned to the other one, and nobody is there to ask: open.
    assert gateway.passing("demo-key-2", most=30) == 30
    server.start()
    # It reports again, is assigned anew, and follows.
    gateway.wait_for(lambda answer: answer.status_code == 429)
    server.publish(entry(one, 100, base=6_000))
    gateway.wait_for(lambda answer: answer.status_code == 200)


def test_reported_usage_becomes_telemetry(server: Server, gateway: AskingGateway) -> None:
    one, two = gateway.tenants
    server.publish_all(hourly(70, one, base=10), hourly(100, two))
    with SqliteLedger(server.home.ledger) as ledger:
        ledger.import_plans([PlanEntry(plan=plan("free").plan)], now_us=NOW)
        ledger.import_accounts([account(one), account(two)], now_us=NOW)
    time.sleep(0.5)  # until the service has mapped the snapshot
    answers = [gateway.get().status_code for _ in range(40)]
    ends = time.monotonic() + 15
    while (found := usage(server, one)).get("api.requests") != 40:
        assert time.monotonic() < ends, found
        time.sleep(0.2)
    assert found.get("api.blocked", 0) == answers.count(429)
    assert usage(server, two) == {}
