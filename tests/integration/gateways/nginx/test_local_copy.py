"""nginx with Lua and the sidecar, as shipped, beside a real `flyball serve`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.integration.gateways.copy_rules import CopyRules
from tests.integration.gateways.nginx.nginx_process import (
    Nginx,
    local_copy,
    need_nginx,
    nginx,
)
from tests.integration.gateways.service_behind import ServiceBehind
from tests.integration.node.server import Server
from tests.integration.node.test_sidecar import sidecar, wait_for


@pytest.fixture(autouse=True)
def installed() -> None:
    need_nginx()


@contextmanager
def gateway(server: Server, behind: ServiceBehind, folder: Path) -> Iterator[Nginx]:
    files = folder / "flyball"
    with sidecar(server, files) as read:
        wait_for(lambda: read.limit("ent_1") is not None)
        text, port = local_copy(folder, files, behind.port)
        with nginx(text, port, folder) as running:
            yield running


class TestNginxWithLua(CopyRules):
    def gateway(
        self, server: Server, behind: ServiceBehind, folder: Path
    ) -> AbstractContextManager[Nginx]:
        return gateway(server, behind, folder)


def test_it_starts_without_any_decision_and_says_so(
    server: Server, behind: ServiceBehind, tmp_path: Path
) -> None:
    files = tmp_path / "flyball"
    text, port = local_copy(tmp_path, files, behind.port)
    with nginx(text, port, tmp_path) as running:
        answer = running.get()
        assert (answer.status_code, answer.headers["Flyball-State"]) == (200, "open")
        with sidecar(server, files):
            wait_for(lambda: running.get().headers["Flyball-State"] == "fresh")
        assert 'flyball_node_state{state="fresh"} 1' in running.get("/flyball/metrics", None).text
