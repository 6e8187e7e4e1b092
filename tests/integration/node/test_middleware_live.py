"""A Python service, a real uvicorn and a real `flyball serve`: what tenants and operators see."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from flyball.asgi import ThrottleSettings
from serving.snapshot.entry import Entry
from tests.integration.node.application import Application, application
from tests.integration.node.server import Server
from tests.integration.service.running import entry


def fresh(answer: httpx2.Response) -> bool:
    return answer.headers.get("flyball-state") == "fresh"


def hourly(arm: int, tenant: str = "ent_1") -> Entry:
    return replace(entry(tenant, arm, base=100), window_seconds=3_600)


def waits_for_limit(app: Application, limit: int, key: str = "secret-1") -> float:
    return app.wait_for(
        lambda answer: answer.headers.get("x-ratelimit-limit") == str(limit), key=key
    )


def test_a_change_reaches_traffic(server: Server, tmp_path: Path) -> None:
    with application(server.url, server.key, tmp_path / "node") as app:
        app.wait_for(fresh)
        server.publish(entry("ent_1", 85, base=100))
        assert waits_for_limit(app, 85) < 2.0
        server.publish(entry("ent_1", 115, base=100))
        assert waits_for_limit(app, 115) < 2.0


def test_a_change_in_mid_window_allows_exactly_what_it_should(
    server: Server, tmp_path: Path
) -> None:
    # A window of an hour: one request drains in 36 s, longer than the test takes.
    server.publish_all(hourly(100), hourly(100, "ent_2"))
    with application(server.url, server.key, tmp_path / "node") as app:
        app.wait_for(fresh)
        app.passing()
        assert app.passed["secret-1"] == 100
        server.publish(hourly(130))
        waits_for_limit(app, 130)
        app.passing()
        assert app.passed["secret-1"] == 130
        for arm in (70, 100, 130):
            server.publish(hourly(arm))
            waits_for_limit(app, arm)
            app.passing()
        assert app.passed["secret-1"] == 130
        assert app.passing("secret-2") == 100


def test_the_service_dies_and_returns(server: Server, tmp_path: Path) -> None:
    with application(server.url, server.key, tmp_path / "node") as app:
        app.wait_for(fresh)
        server.kill()
        server.publish(entry("ent_1", 70, base=100))
        answers = [app.get() for _ in range(20)]
        assert {answer.status_code for answer in answers} == {200}
        assert {answer.headers["flyball-state"] for answer in answers} == {"fresh"}
        assert {answer.headers["x-ratelimit-limit"] for answer in answers} == {"100"}
        server.start()
        assert waits_for_limit(app, 70) < 5.0


def test_a_node_that_starts_alone_serves_what_it_has_kept(server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "node"
    with application(server.url, server.key, folder) as app:
        app.wait_for(fresh)
    server.kill()
    with application(server.url, server.key, folder) as app:
        answer = app.get()
        assert answer.headers["flyball-state"] == "fresh"
        assert answer.headers["x-ratelimit-limit"] == "100"


def test_a_node_without_anything_is_open(server: Server, tmp_path: Path) -> None:
    server.kill()
    with application(server.url, server.key, tmp_path / "node") as app:
        answer = app.get()
        assert (answer.status_code, answer.headers["flyball-state"]) == (200, "open")
        assert app.metric("flyball_node_state", state="open") == 1


def test_old_decisions_step_down_to_open(server: Server, tmp_path: Path) -> None:
    hours = 0.0

    def clock() -> int:
        return time.time_ns() // 1_000 + int(hours * 3.6e9)

    server.publish(entry("ent_1", 70, base=100))
    with application(server.url, server.key, tmp_path / "node", now_us=clock) as app:
        waits_for_limit(app, 70)
        hours = 1
        app.wait_for(lambda answer: answer.headers["flyball-state"] == "last_known_good")
        assert app.get().headers["x-ratelimit-limit"] == "100"
        hours = 25
        app.wait_for(lambda answer: answer.headers["flyball-state"] == "open")
        assert app.passing(most=150) == 150


def test_the_kill_file_opens_the_node(server: Server, tmp_path: Path) -> None:
    with application(server.url, server.key, tmp_path / "node") as app:
        app.wait_for(fresh)
        (app.folder / "kill").touch()
        app.wait_for(lambda answer: answer.headers["flyball-state"] == "open")
        assert app.passing(most=150) == 150
        (app.folder / "kill").unlink()
        app.wait_for(fresh)


def test_forging_headers_does_nothing_and_tenants_never_share(
    server: Server, tmp_path: Path
) -> None:
    server.publish_all(entry("ent_1", 100, base=5), entry("ent_2", 100, base=5))
    forged = {
        "x-flyball-tenant": "ent_2",
        "x-tenant-id": "ent_2",
        "flyball-state": "open",
        "x-ratelimit-limit": "1000000",
    }
    with application(server.url, server.key, tmp_path / "node") as app:
        app.wait_for(fresh)
        while app.get(**forged).status_code == 200:
            pass
        refused = app.get(**forged)
        assert refused.status_code == 429
        assert refused.json()["planUrl"] == "https://example.com/plan"
        assert int(refused.headers["retry-after"]) >= 1
        assert app.passing("secret-2") == 5


def test_decisions_of_another_key_are_refused(
    server: Server, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = Server(tmp_path_factory.mktemp("other") / "home")
    with application(server.url, other.key, tmp_path / "node") as app:
        ends = time.monotonic() + 20
        while not app.metric("flyball_node_refused"):
            assert time.monotonic() < ends
            time.sleep(0.05)
        answer = app.get()
        assert (answer.status_code, answer.headers["flyball-state"]) == (200, "open")


def test_usage_arrives_added_up_and_once(server: Server, tmp_path: Path) -> None:
    settings = ThrottleSettings(flush_seconds=1)
    with application(server.url, server.key, tmp_path / "node", settings=settings) as app:
        app.wait_for(fresh)
        server.kill()
        for _ in range(50):
            app.get("secret-3")
        time.sleep(1.5)  # at least one flush fails
        assert list((app.folder / "spool").glob("*.json"))
        server.start()
    # The application has stopped: what it had counted is there, in few events.
    events = _events(server)
    counted = [quantity for name, _, quantity in events if name == "ent_3"]
    assert sum(counted) == 50
    assert len(counted) <= 4


def _events(server: Server) -> list[tuple[str, str, float]]:
    """What the service has taken in; these tenants have no account there, so it is pending."""
    with closing(sqlite3.connect(server.home.events)) as database:
        rows = database.execute("SELECT name, meter, quantity FROM pending").fetchall()
    return [(str(subject), str(meter), float(quantity)) for subject, meter, quantity in rows]
