"""HAProxy and the sidecar, as shipped, beside a real `flyball serve`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from flyball.limit import Limit, LimitKind, MeterLimit
from tests.integration.gateways.copy_rules import CopyRules
from tests.integration.gateways.haproxy.haproxy_process import Haproxy, haproxy, need_haproxy
from tests.integration.gateways.service_behind import ServiceBehind
from tests.integration.node.server import Server
from tests.integration.node.test_sidecar import sidecar, wait_for
from tests.integration.service.running import entry


@pytest.fixture(autouse=True)
def installed() -> None:
    need_haproxy()


@contextmanager
def gateway(server: Server, behind: ServiceBehind, folder: Path) -> Iterator[Haproxy]:
    files = folder / "flyball"
    options = ("--format", "haproxy", "--socket", str(folder / "admin.sock"))
    with sidecar(server, files, *options):
        wait_for((files / "state.map").exists)
        with haproxy(folder, files, behind.port) as running:
            wait_for(lambda: running.get(key="key-2").headers["Flyball-State"] == "fresh")
            yield running


class TestHaproxy(CopyRules):
    def gateway(
        self, server: Server, behind: ServiceBehind, folder: Path
    ) -> AbstractContextManager[Haproxy]:
        return gateway(server, behind, folder)


def test_what_runs_at_the_same_time_is_capped_and_the_rest_waits(
    server: Server, behind: ServiceBehind, tmp_path: Path
) -> None:
    parallel = MeterLimit(
        "workflows.concurrent", Limit(base=2, contract=1, kind=LimitKind.CONCURRENCY)
    )
    pace = MeterLimit("api.requests", Limit(base=100, contract=50))
    server.publish_all(
        dataclasses.replace(entry("ent_1", 100, base=100), limits=(pace, parallel)),
        entry("ent_2", 100, base=100),
    )
    with gateway(server, behind, tmp_path) as running:
        # Two threads of HAProxy may each let one in at the edge (README).
        assert behind.most_at_once(running.port, 6) in (2, 3)
