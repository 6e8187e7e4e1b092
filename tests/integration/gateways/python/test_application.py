"""The example service as its own process: one node, and two nodes on two servers with one Redis."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.gateways.asking_gateway import GATEWAYS, AskingGateway, running
from tests.integration.gateways.asking_rules import hourly
from tests.integration.gateways.usage_taken_in import total
from tests.integration.node.redis_process import RedisProcess
from tests.integration.node.server import Server, free_port
from tests.integration.robustness.process import REPOSITORY, serving, until


@contextmanager
def example(url: str, key: Path, folder: Path, **more: str) -> Iterator[AskingGateway]:
    folder.mkdir(exist_ok=True)
    port = free_port()
    told = {
        "FLYBALL_URL": url,
        "FLYBALL_KEY": str(key),
        "FLYBALL_NODE": str(folder / "node"),
        "FLYBALL_DEADLINE_SECONDS": "1.0",  # about counts; the machine may be busy
        "PYTHONPATH": str(REPOSITORY),
        **more,
    }
    command = [sys.executable, "-m", "uvicorn", "application:app", "--port", str(port)]
    command += ["--app-dir", str(GATEWAYS / "python"), "--log-level", "warning"]
    with running(command, port, folder, ("ent_1", "ent_2"), environment=told) as gateway:
        yield gateway


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisProcess]:
    pytest.importorskip("redis")
    process = RedisProcess(tmp_path)
    process.start()
    yield process
    process.stop()


def test_the_example_enforces_follows_and_outlives_the_service(
    server: Server, tmp_path: Path
) -> None:
    server.publish_all(hourly(70, "ent_1", base=10), hourly(100, "ent_2", base=10))
    with example(server.url, server.key, tmp_path / "a") as node:
        node.wait_for_limit(7)
        node.passing()
        assert node.passed["demo-key-1"] == 7
        server.publish(hourly(130, "ent_1", base=10))
        assert node.wait_for_limit(13) < 2.0
        node.passing()
        assert node.passed["demo-key-1"] == 13
        forged = {"x_flyball_tenant": "ent_2", "flyball_state": "open", "x_ratelimit_limit": "99"}
        assert node.get(**forged).status_code == 429
        assert node.get(None).status_code == node.get("ent_2").status_code == 401
        reached = node.get("demo-key-2", **forged).json()
        assert reached["tenant"] == "ent_2"
        assert not {name.replace("_", "-") for name in forged} & set(reached["headers"])
        server.kill()
        # Its own copy goes on: enforced, and not open.
        assert node.get().headers["flyball-state"] == "fresh"
        assert node.passing("demo-key-2") == 9
        server.start()
        server.publish(hourly(100, "ent_1", base=40))
        node.wait_for_limit(40)
        assert node.passing() + 13 <= 40


def test_two_nodes_on_two_servers_enforce_one_limit(
    server: Server, tmp_path: Path, redis_server: RedisProcess
) -> None:
    server.publish_all(hourly(70, "ent_1"), hourly(100, "ent_2"))
    shared = {"REDIS_URL": redis_server.url, "NODES": "2"}
    follow = ("--follow", server.url, "--follow-key", str(server.key))
    with (
        serving(tmp_path / "mirror", *follow) as second,
        example(server.url, server.key, tmp_path / "a", **shared) as one,
        example(second.ready().url, server.key, tmp_path / "b", **shared) as two,
    ):
        for node in (one, two):
            node.wait_for_limit(70)
        one.passing(most=30)
        two.passing()
        assert one.passed["demo-key-1"] + two.passed["demo-key-1"] == 70
        server.publish(hourly(100, "ent_1"))
        for node in (one, two):
            node.wait_for_limit(100)
            node.passing()
        assert one.passed["demo-key-1"] + two.passed["demo-key-1"] == 100
        # The first server dies: the second and both nodes go on with what was decided.
        server.kill()
        for node in (one, two):
            answer = node.get()
            assert (answer.status_code, answer.headers["x-ratelimit-limit"]) == (429, "100")
        assert second.decision("ent_1")["effectiveLimit"] == 100
        server.start()
        server.publish(hourly(130, "ent_1"))
        for node in (one, two):
            node.wait_for_limit(130)
            node.passing()
        assert one.passed["demo-key-1"] + two.passed["demo-key-1"] == 130


def test_a_killed_node_loses_at_most_what_it_counted_since_its_last_flush(
    server: Server, tmp_path: Path
) -> None:
    server.publish_all(hourly(100, "ent_1", base=1_000))
    folder = tmp_path / "a"
    patient = {"FLYBALL_FLUSH_SECONDS": "4"}
    with example(server.url, server.key, folder, **patient) as node:
        node.wait_for_state("fresh")
        server.kill()
        spool = folder / "node" / "spool"
        # What was counted so far goes there, too; from here on it is known how much that is.
        until(lambda: list(spool.glob("*.json")), what="a first batch")
        before = spooled(spool)
        node.passing(most=20)
        until(lambda: spooled(spool) >= before + 20, what="a batch of twenty")
        put_away = spooled(spool)
        node.passing(most=7)
        node.kill()
    left = spooled(spool)
    assert put_away <= left <= put_away + 7
    server.start()
    with example(server.url, server.key, folder, FLYBALL_FLUSH_SECONDS="1"):
        until(lambda: not list(spool.glob("*.json")), what="an empty spool")
    # Nothing twice, and nothing that was put away is missing.
    assert total(server, "ent_1", "api.requests") == left


def spooled(spool: Path) -> int:
    """Requests of which the usage waits in a node's directory."""
    events = [event for path in spool.glob("*.json") for event in json.loads(path.read_bytes())]
    return sum(int(e["data"]["quantity"]) for e in events if e["type"] == "api.requests")
