"""The team's own limiter stays the counter: the real Envoy hands it Flyball's number each time."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest

from serving.envoy import messages_pb2 as pb
from serving.envoy.server import RATE_LIMIT
from tests.integration.gateways.asking_gateway import AskingGateway
from tests.integration.gateways.asking_rules import hourly
from tests.integration.gateways.envoy.envoy_process import envoy
from tests.integration.gateways.service_behind import ServiceBehind
from tests.integration.node.server import Server

#: What the team has configured for whoever comes without an override.
CONFIGURED = 50


class TeamsLimiter(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Counts as the stock service does: up to the override, where there is one."""

    def __init__(self) -> None:
        self.used: dict[str, int] = {}
        self.domains: set[str] = set()

    def service(self, details: Any) -> Any:
        assert details.method == f"/{RATE_LIMIT}/ShouldRateLimit"
        return grpc.unary_unary_rpc_method_handler(
            self._answer,
            pb.RateLimitRequest.FromString,
            pb.RateLimitResponse.SerializeToString,
        )

    def _answer(self, request: Any, _context: Any) -> Any:
        self.domains.add(request.domain)
        (descriptor,) = request.descriptors
        tenant = descriptor.entries[0].value
        limit, unit = CONFIGURED, pb.HOUR
        if descriptor.HasField("limit"):
            limit, unit = descriptor.limit.requests_per_unit, descriptor.limit.unit
        self.used[tenant] = self.used.get(tenant, 0) + 1
        over = self.used[tenant] > limit
        code = pb.RateLimitResponse.OVER_LIMIT if over else pb.RateLimitResponse.OK
        response = pb.RateLimitResponse(overall_code=code)
        current = pb.RateLimitResponse.RateLimit(requests_per_unit=limit, unit=unit)
        response.statuses.add(code=code, current_limit=current)
        return response


@pytest.fixture
def limiter() -> TeamsLimiter:
    return TeamsLimiter()


@pytest.fixture
def gateway(
    server: Server, behind: ServiceBehind, limiter: TeamsLimiter, tmp_path: Path
) -> Iterator[AskingGateway]:
    limits = grpc.server(ThreadPoolExecutor(2), handlers=[limiter])
    port = limits.add_insecure_port("127.0.0.1:0")
    limits.start()
    changes = {"port_value: 8082": f"port_value: {port}"}
    try:
        with envoy("override", tmp_path, server, behind.port, changes=changes) as running:
            yield running
    finally:
        limits.stop(None).wait(10)


def test_the_teams_counter_gets_our_number_and_is_never_reset(
    server: Server, gateway: AskingGateway, limiter: TeamsLimiter
) -> None:
    one, two = gateway.tenants
    server.publish_all(hourly(70, one, base=100), hourly(100, two, base=100))
    gateway.wait_for_state("fresh")
    gateway.passing(most=80)
    assert limiter.used[one] == 71
    server.publish(hourly(130, one, base=100))
    gateway.wait_for(lambda answer: answer.status_code == 200)
    assert gateway.get().headers["x-ratelimit-limit"].startswith("130")
    gateway.passing()
    refused = gateway.get()
    assert (refused.status_code, refused.headers["flyball-state"]) == (429, "fresh")
    assert limiter.domains == {"api"}
    assert gateway.get("demo-key-2").status_code == 200


def test_without_flyball_the_team_uses_what_it_has_configured(
    server: Server, gateway: AskingGateway, limiter: TeamsLimiter
) -> None:
    one, two = gateway.tenants
    server.publish_all(hourly(70, one, base=100), hourly(100, two, base=100))
    gateway.wait_for_state("fresh")
    server.kill()
    before = limiter.used[one]
    answer = gateway.get()
    assert (answer.status_code, answer.headers["flyball-state"]) == (200, "open")
    assert answer.headers["x-ratelimit-limit"].startswith(str(CONFIGURED))
    assert before + 1 + gateway.passing() == CONFIGURED
    server.start()
    gateway.wait_for_state("fresh")


def test_an_override_cannot_be_forged(
    server: Server, gateway: AskingGateway, limiter: TeamsLimiter
) -> None:
    one, two = gateway.tenants
    server.publish_all(hourly(70, one, base=10), hourly(100, two, base=100))
    gateway.wait_for_state("fresh")
    seen = gateway.reached(x_flyball_tenant=two, x_flyball_effective_limit="99999")
    assert seen["x-flyball-tenant"] == one
    assert seen["x-flyball-effective-limit"] == "7"
    assert set(limiter.used) <= {one, "-"}
