"""nginx with Lua and the sidecar, as shipped, beside a real `flyball serve`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from serving.snapshot.entry import Entry
from tests.integration.gateways.nginx.nginx_process import (
    Nginx,
    local_copy,
    need_nginx,
    nginx,
)
from tests.integration.gateways.service_behind import ServiceBehind
from tests.integration.node.server import Server
from tests.integration.node.test_sidecar import sidecar, wait_for
from tests.integration.service.running import entry


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


def daily(name: str, arm: int) -> Entry:
    """A limit of 100 a day: what drains while a test runs is less than one unit."""
    return dataclasses.replace(entry(name, arm, base=100), window_seconds=86_400)


def limit(running: Nginx, key: str = "key-1") -> str | None:
    value: str | None = running.get("/", key).headers.get("X-RateLimit-Limit")
    return value


def test_a_change_reaches_traffic_within_two_seconds_and_hands_out_no_fresh_bucket(
    server: Server, behind: ServiceBehind, tmp_path: Path
) -> None:
    # ent_3 changes with ent_1, so that looking at it shows when the change is there.
    def publish(arm: int) -> float:
        server.publish(daily("ent_1", arm), daily("ent_3", arm))
        return wait_for(lambda: limit(running, "key-3") == str(arm))

    server.publish_all(daily("ent_1", 100), daily("ent_2", 100), daily("ent_3", 100))
    with gateway(server, behind, tmp_path) as running:
        assert running.passed(60) == 60
        assert publish(70) < 2.0
        # Tightened: 60 of 70 are in use.
        assert running.passed(30) == 10
        refused = running.get()
        assert refused.status_code == 429
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert refused.headers["X-RateLimit-Limit"] == "70"
        # Relaxed: 70 of 130 are in use.
        assert publish(130) < 2.0
        assert running.passed(130) == 60
        # Tightened below what is in use, and back: nothing is to be had by it.
        publish(70)
        assert running.passed(5) == 0
        publish(130)
        assert running.passed(5) == 0
        # Nobody else's counter moved.
        assert running.passed(110, "key-2") == 100


def test_the_service_dies_and_returns(
    server: Server, behind: ServiceBehind, tmp_path: Path
) -> None:
    with gateway(server, behind, tmp_path) as running:
        assert running.get().headers["Flyball-State"] == "fresh"
        server.kill()
        answer = running.get()
        assert (answer.status_code, answer.headers["Flyball-State"]) == (200, "fresh")
        assert answer.headers["X-RateLimit-Limit"] == "100"
        server.publish(entry("ent_1", 85, base=100))
        assert limit(running) == "100"
        server.start()
        wait_for(lambda: limit(running) == "85")


def test_the_kill_file_opens(server: Server, behind: ServiceBehind, tmp_path: Path) -> None:
    server.publish_all(daily("ent_1", 100))
    with gateway(server, behind, tmp_path) as running:
        assert running.passed(110) == 100
        (tmp_path / "flyball" / "kill").touch()
        wait_for(lambda: running.get().headers["Flyball-State"] == "open", 2)
        assert running.passed(50) == 50
        (tmp_path / "flyball" / "kill").unlink()
        wait_for(lambda: running.get().headers["Flyball-State"] == "fresh", 2)
        assert running.get().status_code == 429


def test_nobody_forges_an_identity_or_a_limit(
    server: Server, behind: ServiceBehind, tmp_path: Path
) -> None:
    forged = {
        "X-Tenant-ID": "ent_2",
        "X-Flyball-Tenant": "ent_2",
        "X-Flyball-Limit": "1000000",
        "X-Flyball-Units": "api.requests=0",
        "Flyball-State": "open",
        "RateLimit": '"api.requests";r=999',
        "X-RateLimit-Limit": "1000000",
    }
    server.publish_all(daily("ent_1", 100), daily("ent_2", 100))
    with gateway(server, behind, tmp_path) as running:
        answer = running.get("/", "key-1", forged)
        reached = answer.json()
        assert reached["x-flyball-tenant"] == "ent_1"
        taken = {name.lower() for name in forged} - {"x-flyball-tenant"}
        assert not taken & set(reached)
        assert "x-api-key" not in reached
        assert answer.headers["X-RateLimit-Limit"] == "100"
        assert answer.headers["X-RateLimit-Remaining"] == "99"
        for _ in range(101):
            refused = running.get("/", "key-1", forged)
        assert refused.status_code == 429
        assert running.get("/", "key-2").headers["X-RateLimit-Remaining"] == "99"
        assert running.get("/", None, forged).status_code == 401
        nobody = running.get("/", "key-none")
        assert (nobody.status_code, nobody.headers["Flyball-State"]) == (200, "unknown_tenant")


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
