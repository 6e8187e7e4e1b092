"""A real `flyball serve` that a test can kill."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.node.server import Server


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("service") / "home")
    running.start()
    yield running
    running.kill()
