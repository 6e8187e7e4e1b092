"""nginx without Lua: `auth_request.conf` as shipped, asking a real `flyball serve`."""

from __future__ import annotations

import dataclasses
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from flyball.limit import Limit, LimitKind, MeterLimit
from tests.integration.gateways.asking_gateway import AskingGateway, fresh_tenants
from tests.integration.gateways.asking_rules import AskingRules
from tests.integration.gateways.nginx.nginx_process import (
    GATEWAYS,
    KEYS,
    Nginx,
    keys_file,
    need_nginx,
    nginx,
    replaced,
)
from tests.integration.gateways.service_behind import ServiceBehind
from tests.integration.node.server import Server, free_port
from tests.integration.node.test_sidecar import wait_for
from tests.integration.service.running import entry

DAY_SECONDS = 86_400


@pytest.fixture(autouse=True)
def installed() -> None:
    need_nginx(lua=False)


@contextmanager
def gateway(
    flyball: int,
    behind: ServiceBehind,
    folder: Path,
    *,
    deadline: str = "2s",
    keys: Mapping[str, str] = KEYS,
) -> Iterator[Nginx]:
    """As shipped, but patient, so that a busy machine does not open it while a test counts."""
    port = free_port()
    text = replaced(
        (GATEWAYS / "nginx" / "auth_request.conf").read_text(),
        {
            "_timeout 20ms": f"_timeout {deadline}",
            "worker_processes auto": "worker_processes 2",
            "error_log stderr": f"error_log {folder}/error.log",
            "/run/flyball-nginx.pid": f"{folder}/nginx.pid",
            "/etc/nginx/api_keys.map": str(keys_file(folder, keys)),
            "https://app.example.com/plan": "https://example.com/plan",
            "127.0.0.1:8080": f"127.0.0.1:{flyball}",
            "127.0.0.1:8000": f"127.0.0.1:{behind.port}",
            "127.0.0.1:8081": f"127.0.0.1:{port}",
        },
    )
    with nginx(text, port, folder) as running:
        yield running


class TestAuthRequest(AskingRules):
    @pytest.fixture(autouse=True)
    def _behind(self, behind: ServiceBehind) -> None:
        self.behind = behind

    @contextmanager
    def gateway(
        self, server: Server, folder: Path, *, hurried: bool = False
    ) -> Iterator[AskingGateway]:
        tenants = fresh_tenants()
        keys = {f"demo-key-{number}": name for number, name in enumerate(tenants, 1)}
        deadline = "20ms" if hurried else "5s"
        with gateway(server.port, self.behind, folder, deadline=deadline, keys=keys) as running:
            log = folder / "error.log"
            yield AskingGateway(running.port, running.client, log, tenants, running.process.pid)


def test_refusals_come_as_429_with_a_change_and_no_fresh_bucket(
    server: Server, behind: ServiceBehind, tmp_path: Path
) -> None:
    def publish(name: str, arm: int) -> None:
        server.publish(dataclasses.replace(entry(name, arm, base=100), window_seconds=DAY_SECONDS))

    def window() -> int:
        answer = httpx2.get(f"{server.url}/v1/decisions/ent_1", trust_env=False)
        return int(answer.json()["windowSeconds"] or 0)  # null before the first snapshot

    publish("ent_1", 100)
    # Of a limit that is still one a minute, some would drain while this counts.
    wait_for(lambda: window() == DAY_SECONDS)
    with gateway(server.port, behind, tmp_path) as running:
        wait_for(lambda: running.get(key="key-2").headers["Flyball-State"] == "fresh")
        running.client.headers["X-Flyball-Tenant"] = "ent_2"  # forged
        running.client.headers["X-RateLimit-Limit"] = "1000000"
        reached = running.get().json()
        assert reached["x-flyball-tenant"] == "ent_1"
        assert "x-ratelimit-limit" not in reached
        assert running.passed(130) == 99
        refused = running.get()
        assert refused.status_code == 429
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert refused.headers["X-RateLimit-Limit"] == "100"
        assert int(refused.headers["Retry-After"]) > 0
        assert refused.json()["status"] == 429
        began = time.monotonic()
        publish("ent_1", 130)
        wait_for(lambda: running.get().headers.get("X-RateLimit-Limit") == "130")
        assert time.monotonic() - began < 2.0
        assert 28 <= running.passed(60) <= 30
        assert running.get("/forbidden", "key-2").status_code == 403
        assert running.get(key=None).status_code == 401


def test_a_used_up_paid_allowance_is_402(
    server: Server, behind: ServiceBehind, tmp_path: Path
) -> None:
    paid = MeterLimit(
        "api.requests", Limit(base=2, contract=1, per="day", kind=LimitKind.QUOTA, paid=True)
    )
    server.publish_all(dataclasses.replace(entry("ent_1", 100, base=2), limits=(paid,)))
    with gateway(server.port, behind, tmp_path) as running:
        wait_for(lambda: running.get().status_code == 402)
        refused = running.get()
        assert refused.json()["status"] == 402
        assert refused.headers["Content-Type"] == "application/problem+json"


def test_flyball_down_or_late_opens_and_it_returns(
    server: Server, behind: ServiceBehind, tmp_path: Path
) -> None:
    with gateway(server.port, behind, tmp_path) as running:
        wait_for(lambda: running.get().headers["Flyball-State"] == "fresh")
        server.kill()
        answer = running.get()
        assert (answer.status_code, answer.headers["Flyball-State"]) == (200, "open")
        server.start()
        wait_for(lambda: running.get().headers["Flyball-State"] == "fresh")


def test_one_that_never_answers_costs_the_deadline_and_no_more(
    server: Server, behind: ServiceBehind, tmp_path: Path
) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(16)
        with gateway(silent.getsockname()[1], behind, tmp_path, deadline="20ms") as running:
            running.get()
            took = []
            for _ in range(5):
                began = time.monotonic()
                answer = running.get()
                took.append(time.monotonic() - began)
                assert (answer.status_code, answer.headers["Flyball-State"]) == (200, "open")
            assert 0.015 < min(took) < 1.0
