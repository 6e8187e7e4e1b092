"""What happens is seen in the answer within two seconds, through the whole service."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.integration.robustness.process import Service, serving, until

PROMISE_S = 2.0


@pytest.fixture
def service(home: Path) -> Iterator[Service]:
    with serving(home) as running:
        yield running.ready().decided()


def seen_in_time(true: Callable[[], Any]) -> None:
    began = time.monotonic()
    until(true, seconds=10)
    assert time.monotonic() - began < PROMISE_S


def test_an_override_reaches_the_answer(service: Service, tightened: str) -> None:
    before = service.decision(tightened)
    assert before["dynamicMultiplier"] == 0.85
    with service.client() as client:
        made = client.post(
            "/v1/overrides",
            json={
                "tenantId": tightened,
                "kind": "exempt",
                "reason": "they called",
                "expiresAt": (datetime.now(UTC) + timedelta(days=1)).isoformat(),
            },
        )
    assert made.status_code in (200, 201), made.text
    seen_in_time(lambda: service.decision(tightened)["dynamicMultiplier"] >= 1)
    assert service.decision(tightened)["decisionId"] == before["decisionId"]


def test_a_spike_ends_friction(service: Service, tightened: str) -> None:
    limit = service.decision(tightened)["baseLimit"]
    event = {
        "specversion": "1.0",
        "id": "spike",
        "source": "gw",
        "type": "api.requests",
        "subject": tightened,
        "data": {"quantity": limit * 100_000},
    }
    with service.client() as client:
        posted = client.post(
            "/v1/events", json=event, headers={"content-type": "application/cloudevents+json"}
        )
    assert posted.status_code == 202
    assert posted.json()["accepted"] == 1
    seen_in_time(lambda: service.decision(tightened)["dynamicMultiplier"] >= 1)
    assert "spike" in service.decision(tightened)["reasons"]


def test_the_kill_switch_works_at_once_and_back(service: Service, tightened: str) -> None:
    with service.client() as client:
        client.put("/v1/kill-switch", json={"on": True, "reason": "drill"}).raise_for_status()
        seen_in_time(lambda: service.decision(tightened)["dynamicMultiplier"] == 1)
        client.put("/v1/kill-switch", json={"on": False, "reason": "over"}).raise_for_status()


def test_a_new_alias_means_its_tenant(service: Service, tightened: str) -> None:
    with service.client() as client:
        body = {"plan": "growth", "aliases": ["key_brand_new"]}
        put = client.put(f"/v1/accounts/{tightened}", json=body)
    assert put.status_code == 200, put.text
    seen_in_time(lambda: service.decision("key_brand_new")["tenantId"] == tightened)
    assert service.decision("key_brand_new")["source"] == "fresh"
