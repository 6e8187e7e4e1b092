"""What holds for every gateway that asks Flyball before each request, whatever its make.

A make's tests inherit from `AskingRules` and say how to run it (``hurried``: with the deadline that
is shipped; ``unhurried``: with a long one, where counts matter and the machine may be busy).
"""

from __future__ import annotations

import abc
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from serving.snapshot.entry import Entry
from tests.integration.gateways.asking_gateway import AskingGateway
from tests.integration.node.server import Server
from tests.integration.service.running import entry


def hourly(arm: int, tenant: str, *, base: int = 100) -> Entry:
    """An hour's limit: one request drains in more than half a minute, longer than a test takes."""
    return replace(entry(tenant, arm, base=base), window_seconds=3_600)


class AskingRules(abc.ABC):
    """The tests; ``gateway`` runs the make on its shipped configuration."""

    @abc.abstractmethod
    def gateway(
        self, server: Server, folder: Path, *, hurried: bool = False
    ) -> AbstractContextManager[AskingGateway]:
        """The make, asking ``server``."""

    #: Whether the service behind is told the decision and not only the state.
    tells_the_decision = True

    @pytest.fixture
    def unhurried(self, server: Server, tmp_path: Path) -> Iterator[AskingGateway]:
        with self.gateway(server, tmp_path) as gateway:
            yield gateway

    def test_a_change_reaches_traffic_within_two_seconds(
        self, server: Server, unhurried: AskingGateway
    ) -> None:
        server.publish_all(entry(unhurried.tenants[0], 100, base=900))
        unhurried.wait_for_limit(900)
        server.publish(entry(unhurried.tenants[0], 85, base=900))
        assert unhurried.wait_for_limit(765) < 2.0
        server.publish(entry(unhurried.tenants[0], 115, base=900))
        assert unhurried.wait_for_limit(1035) < 2.0

    def test_a_change_in_mid_window_allows_exactly_what_it_should(
        self, server: Server, unhurried: AskingGateway
    ) -> None:
        one, two = unhurried.tenants
        server.publish_all(hourly(100, one), hourly(100, two))
        unhurried.wait_for_limit(100)
        unhurried.passing()
        assert unhurried.passed["demo-key-1"] == 100
        server.publish(hourly(130, one))
        unhurried.wait_for_limit(130)
        unhurried.passing()
        assert unhurried.passed["demo-key-1"] == 130
        for arm in (70, 100, 130):
            server.publish(hourly(arm, one))
            unhurried.wait_for_limit(arm)
            assert unhurried.passing() == 0
        # The other tenant has a counter of its own.
        assert unhurried.passing("demo-key-2") == 100

    def test_a_refusal_says_when_and_where_and_nothing_of_a_model(
        self, server: Server, unhurried: AskingGateway
    ) -> None:
        one, _ = unhurried.tenants
        server.publish_all(hourly(85, one, base=3))
        unhurried.wait_for_limit(3)
        unhurried.passing()
        refused = unhurried.get()
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.headers["flyball-state"] == "fresh"
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.headers["ratelimit-policy"] == '"api.requests";q=3;w=3600'
        assert refused.json()["planUrl"] == "https://example.com/plan"
        told = (str(refused.headers) + refused.text).lower()
        assert "probab" not in told
        assert "0.92" not in told
        assert "x-flyball" not in told

    def test_the_service_is_killed_and_returns(
        self, server: Server, unhurried: AskingGateway
    ) -> None:
        one, _ = unhurried.tenants
        server.publish_all(hourly(100, one, base=5))
        unhurried.wait_for_state("fresh")
        unhurried.passing()
        assert unhurried.get().status_code == 429
        server.kill()
        answers = [unhurried.get() for _ in range(20)]
        assert {answer.status_code for answer in answers} == {200}
        assert {answer.headers["flyball-state"] for answer in answers} == {"open"}
        server.publish(hourly(130, one, base=5))
        server.start()
        unhurried.wait_for_limit(7)
        # What was used before it died is still in use: five and two, no fresh bucket.
        unhurried.passing()
        assert unhurried.passed["demo-key-1"] == 7

    def test_a_service_that_hangs_is_not_waited_for(self, server: Server, tmp_path: Path) -> None:
        with self.gateway(server, tmp_path, hurried=True) as gateway:
            server.publish_all(entry(gateway.tenants[0], 100, base=100_000))
            gateway.wait_for_state("fresh")
            server.pause()
            try:
                times = []
                for _ in range(10):
                    began = time.monotonic()
                    answer = gateway.get()
                    times.append(time.monotonic() - began)
                    assert (answer.status_code, answer.headers["flyball-state"]) == (200, "open")
                # The deadline is 20 ms; the rest is a machine that may be busy.
                assert sorted(times)[len(times) // 2] < 0.5
            finally:
                server.resume()
            gateway.wait_for_state("fresh")

    def test_a_client_can_forge_neither_its_identity_nor_its_limit(
        self, server: Server, unhurried: AskingGateway
    ) -> None:
        one, two = unhurried.tenants
        server.publish_all(hourly(70, one, base=10), hourly(100, two, base=10))
        unhurried.wait_for_limit(7)
        forged: dict[str, Any] = {
            "x_flyball_tenant": two,
            "X_Flyball_Effective_Limit": "1000000",
            "x_flyball_units": "0",
            "x_tenant_id": two,
            "flyball_state": "open",
            "flyball_tenant": two,
            "ratelimit": '"api.requests";r=999999',
            "ratelimit_policy": '"api.requests";q=999999;w=1',
            "x_ratelimit_limit": "1000000",
            "x_ratelimit_remaining": "1000000",
            "x_forwarded_method": "OPTIONS",
            "x_forwarded_uri": "/health",
            "authorization": "Bearer of-the-client",
        }
        seen = unhurried.reached(**forged)
        assert seen["x-flyball-tenant"] == one
        assert seen.get("x-flyball-effective-limit") == ("7" if self.tells_the_decision else None)
        assert seen["flyball-state"] == "fresh"
        assert seen["authorization"] == "Bearer of-the-client"
        assert "999999" not in str(seen)
        assert "1000000" not in str(seen)
        assert "x-tenant-id" not in seen
        assert "x-api-key" not in seen
        while unhurried.get(**forged).status_code == 200:
            pass
        assert unhurried.passed["demo-key-1"] == 7
        assert unhurried.get("demo-key-2").headers["x-ratelimit-remaining"] == "9"
        for key in (None, "", one, "demo-key-3"):
            assert unhurried.get(key, **forged).status_code == 401
