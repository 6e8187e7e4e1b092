"""What nginx with Lua counts arrives at a real `flyball serve`, added up and once."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from tests.integration.gateways.nginx.decision_lines import DecisionFiles, limit, line
from tests.integration.gateways.nginx.nginx_process import local_copy, nginx
from tests.integration.gateways.service_behind import ServiceBehind
from tests.integration.node.server import Server
from tests.integration.node.test_sidecar import wait_for


def taken_in(server: Server) -> list[tuple[str, str, float]]:
    """What the service has; these tenants have no account there, so it is pending."""
    try:
        with closing(sqlite3.connect(f"file:{server.home.events}?mode=ro", uri=True)) as database:
            rows = database.execute("SELECT name, meter, quantity FROM pending").fetchall()
    except sqlite3.OperationalError:  # nothing has arrived yet
        return []
    return [(str(subject), str(meter), float(quantity)) for subject, meter, quantity in rows]


def total(server: Server, tenant: str, meter: str) -> float:
    return sum(q for name, what, q in taken_in(server) if (name, what) == (tenant, meter))


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
        wait_for(lambda: total(server, "ent_1", "api.requests") == 40)
        wait_for(lambda: not list(spool.glob("*.json")))
        assert total(server, "ent_1", "api.blocked") == 10
        assert total(server, "ent_2", "api.requests") == 2
        assert total(server, "ent_2", "ai.tokens") == 120
        assert len(taken_in(server)) <= 20  # of 44 that were counted, some per worker and minute
        running.passed(3, "key-2")
    # It has stopped in order: what it had counted waits in the spool, and its successor posts it.
    with nginx(text, port, tmp_path):
        wait_for(lambda: total(server, "ent_2", "api.requests") == 5)
        wait_for(lambda: not list(spool.glob("*.json")))
