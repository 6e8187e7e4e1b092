"""A real service that publishes, and a service behind the gateway."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.gateways.service_behind import ServiceBehind, service_behind
from tests.integration.node.server import Server
from tests.integration.service.running import entry


@pytest.fixture(scope="package")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("service") / "home")
    yield running
    running.kill()


@pytest.fixture
def server(started: Server) -> Server:
    """The service, up, with two tenants at their base limit of 100 a minute."""
    started.start()
    started.publish_all(entry("ent_1", 100, base=100), entry("ent_2", 100, base=100))
    return started


@pytest.fixture(scope="package")
def behind() -> Iterator[ServiceBehind]:
    with service_behind() as running:
        yield running
