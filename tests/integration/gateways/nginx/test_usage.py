"""What nginx with Lua counts arrives at a real `flyball serve`, added up and once."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from tests.integration.gateways.nginx.decision_lines import DecisionFiles, limit, line
from tests.integration.gateways.nginx.nginx_process import local_copy, nginx
from tests.integration.gateways.service_behind import ServiceBehind
from tests.integration.gateways.usage_taken_in import taken_in, total
from tests.integration.node.server import Server
from tests.integration.node.test_sidecar import wait_for


def test_usage_arrives_added_up_and_once_though_the_service_was_away(
    server: Server, behind: ServiceBehind, tmp_path: Path
) -> None:
    files = DecisionFiles(tmp_path / "flyball")
    files.write(line("ent_1", limit(base=30)), line("ent_2", limit(base=30)))
    text, port = local_copy(
        tmp_path, files.folder, behind.port, usage=server.url, more="flush_seconds = 1,"
    )
    spool = tmp_path / "spool"
    server.kill()
    with nginx(text, port, tmp_path) as running:
        assert running.passed(40) == 30
        assert running.passed(2, "key-2", "/tokens") == 2
        wait_for(lambda: list(spool.glob("*.json")))
        time.sleep(1.5)  # a flush finds nobody, and keeps everything
        server.start()
        counted = {
            ("ent_1", "api.requests"): 40,
            ("ent_1", "api.blocked"): 10,
            ("ent_2", "api.requests"): 2,
            ("ent_2", "ai.tokens"): 120,
        }
        # What is counted last may be flushed, and arrive, on its own.
        wait_for(lambda: {each: total(server, *each) for each in counted} == counted)
        wait_for(lambda: not list(spool.glob("*.json")))
        assert {each: total(server, *each) for each in counted} == counted
        assert len(taken_in(server)) <= 20  # of 44 that were counted, some per worker and minute
        running.passed(3, "key-2")
    # It has stopped in order: what it had counted waits in the spool, and its successor posts it.
    with nginx(text, port, tmp_path):
        wait_for(lambda: total(server, "ent_2", "api.requests") == 5)
        wait_for(lambda: not list(spool.glob("*.json")))


def test_a_killed_nginx_loses_at_most_what_it_counted_since_its_last_flush(
    server: Server, behind: ServiceBehind, tmp_path: Path
) -> None:
    files = DecisionFiles(tmp_path / "flyball")
    files.write(line("ent_3", limit(base=1_000)))
    text, port = local_copy(
        tmp_path,
        files.folder,
        behind.port,
        workers=1,
        usage=server.url,
        more="flush_seconds = 4,",
    )
    spool = tmp_path / "spool"
    server.kill()
    with nginx(text, port, tmp_path) as running:
        assert running.passed(20, "key-3") == 20
        wait_for(lambda: list(spool.glob("*.json")))
        assert running.passed(7, "key-3") == 7
        workers = running.workers()
        running.process.kill()
        for worker in workers:
            os.kill(worker, signal.SIGKILL)
        running.process.wait(10)
    server.start()
    with nginx(text, port, tmp_path):
        wait_for(lambda: not list(spool.glob("*.json")), 20)
    # 20 were put away (or more, on a machine that took four seconds for seven requests).
    assert 20 <= total(server, "ent_3", "api.requests") <= 27
