"""The real Envoy asks a real `flyball serve`: over HTTP, gRPC, or as a rate limit service."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.integration.gateways.asking_gateway import AskingGateway
from tests.integration.gateways.asking_rules import AskingRules
from tests.integration.gateways.envoy.envoy_process import envoy
from tests.integration.gateways.service_behind import ServiceBehind
from tests.integration.node.server import Server


class EnvoyRules(AskingRules):
    name: str

    @pytest.fixture(autouse=True)
    def _behind(self, behind: ServiceBehind) -> None:
        self.behind = behind.port

    def gateway(
        self, server: Server, folder: Path, *, hurried: bool = False
    ) -> AbstractContextManager[AskingGateway]:
        return envoy(self.name, folder, server, self.behind, hurried=hurried)


class TestHttpExternalAuthorization(EnvoyRules):
    name = "forward-auth"


class TestGrpcExternalAuthorization(EnvoyRules):
    name = "ext-authz"


class TestRateLimitService(EnvoyRules):
    name = "rate-limit"
    tells_the_decision = False
