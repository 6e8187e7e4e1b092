"""A real `flyball serve` on a Unix socket, and a service behind Caddy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.gateways.service_behind import ServiceBehind, service_behind
from tests.integration.node.server import Server


@pytest.fixture(scope="package")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("caddy")
    running = Server(folder / "home", "--uds", str(folder / "http.sock"))
    running.home.settings.write_text('[authorize]\nplan_url = "https://example.com/plan"\n')
    yield running
    running.kill()


@pytest.fixture
def server(started: Server) -> Server:
    """The service, up."""
    started.start()
    return started


@pytest.fixture(scope="package")
def behind() -> Iterator[ServiceBehind]:
    with service_behind() as running:
        yield running
