"""A real worker over a signed snapshot that a test publishes, to be killed and started again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

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
