"""Two Python services as two nodes: one shared counter in Redis, one shared directory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from flyball.asgi import ThrottleSettings
from serving.snapshot.entry import Entry
from tests.integration.node.application import application
from tests.integration.node.redis_process import RedisProcess
from tests.integration.node.server import Server
from tests.integration.service.running import entry

pytest.importorskip("redis")


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisProcess]:
    process = RedisProcess(tmp_path)
    process.start()
    yield process
    process.stop()


def hourly(arm: int, tenant: str = "ent_2") -> Entry:
    # One request drains in more than half a minute: longer than the test takes.
    return replace(entry(tenant, arm, base=100), window_seconds=3_600)


def is_fresh(answer: object) -> bool:
    return getattr(answer, "headers", {}).get("flyball-state") == "fresh"


def test_two_nodes_enforce_one_limit_and_follow_its_change(
    server: Server, tmp_path: Path, redis_server: RedisProcess
) -> None:
    server.publish_all(entry("ent_1", 100), hourly(100))
    # The longest deadline: this is about counts, and the machine may be busy.
    settings = ThrottleSettings(deadline_seconds=1.0)
    shared = {"redis_url": redis_server.url, "nodes": 2, "settings": settings}
    with (
        application(server.url, server.key, tmp_path / "a", **shared) as one,
        application(server.url, server.key, tmp_path / "b", **shared) as two,
    ):
        one.wait_for(is_fresh)
        two.wait_for(is_fresh)
        assert one.passing("secret-2", most=60) == 60
        assert two.passing("secret-2") == 40
        server.publish(hourly(130))
        for node in (one, two):
            node.wait_for(lambda a: a.headers["x-ratelimit-limit"] == "130", key="secret-2")
            node.passing("secret-2")
        assert one.passed["secret-2"] + two.passed["secret-2"] == 130
        assert "flyball-counters" not in one.get("secret-2").headers

        redis_server.stop()
        one.wait_for(lambda a: a.headers.get("flyball-counters") == "local")
        assert two.get().status_code == 200


def test_nodes_that_share_a_directory_follow_through_one_of_them(
    server: Server, tmp_path: Path
) -> None:
    folder = tmp_path / "shared"
    with application(server.url, server.key, folder) as second:
        with application(server.url, server.key, folder) as first:
            for node in (first, second):
                node.wait_for(is_fresh)
            server.publish(entry("ent_1", 85, base=100))
            for node in (first, second):
                node.wait_for(lambda a: a.headers["x-ratelimit-limit"] == "85")
        # Whoever mirrored may be the one that has ended; the other goes on.
        server.publish(entry("ent_1", 70, base=100))
        second.wait_for(lambda a: a.headers["x-ratelimit-limit"] == "70")
