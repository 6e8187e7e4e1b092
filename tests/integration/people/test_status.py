"""``flyball status`` on homes in every state."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flyball.decision import Mode
from flyball.home import Home
from flyball.usage import UsageEvent
from ledger.decision_change import DecisionRun
from ledger.rows import parse_decision
from ledger.sqlite_ledger import open_ledger
from telemetry.sqlite_store import SqliteEventStore
from telemetry.store import KnownTenant

Flyball = Callable[..., Any]
START_US = 1_767_571_200_000_000


def status(flyball: Flyball, at: Path | None = None, *, code: int = 0) -> dict[str, Any]:
    said = flyball("status", "--json", at=at)
    assert said.code == code
    found: dict[str, Any] = json.loads(said.out)
    return found


def add_events(home: Home) -> None:
    store = SqliteEventStore(home.events)
    events = [
        UsageEvent(
            tenant_id="t1" if i < 9 else "stranger",
            source="s",
            event_id=f"e{i}",
            time_us=START_US + i * 1_000_000,
            arrived_us=START_US + i * 1_000_000 + (2_000_000 if i == 8 else 0),
            meter="logins" if i == 0 else "api.requests",
            quantity=1.0,
        )
        for i in range(10)
    ]
    store.append(events, lambda n: KnownTenant(n, 0) if n == "t1" else None)
    store.close()


def test_a_home_that_is_not_there(flyball: Flyball, tmp_path: Path) -> None:
    at = tmp_path / "none"
    report = status(flyball, at)
    assert report["tenants"] is None
    assert "flyball demo" in report["notes"][0]
    said = flyball("status", at=at)
    assert said.code == 0
    assert "none yet" in said.out
    assert "flyball demo" in said.out
    assert not at.exists()


def test_an_empty_home(flyball: Flyball, tmp_path: Path) -> None:
    report = status(flyball, tmp_path)
    assert (report["usage"], report["bundle"], report["lastRun"]) == (None, None, None)
    assert report["killSwitch"] == {"on": False}


def test_a_home_in_use(flyball: Flyball, home: Home) -> None:
    add_events(home)
    decision = parse_decision(
        {
            "decision_id": "d1", "tenant_id": "t1", "time": "2026-01-05T00:00:00Z",
            "multiplier": 1, "propensity": 1,
        }
    )  # fmt: skip
    with open_ledger(home) as ledger:
        ledger.append_decisions([decision])
        ledger.record_run(
            DecisionRun(
                as_of_us=START_US, finished_us=START_US, mode=Mode.LIVE, tenants=2,
                duration_ms=3.5, policy="static",
            )
        )  # fmt: skip
    flyball("experiment", "start", "autumn", "--reason", "learn")
    flyball("kill", "on", "--reason", "incident [7]")
    report = status(flyball)
    assert (report["tenants"], report["plans"]) == (2, 1)
    usage = report["usage"]
    assert usage["byMeter"] == {"api.requests": 8, "logins": 1}
    assert (usage["from"], usage["to"]) == ("2026-01-05T00:00:00Z", "2026-01-05T00:00:08Z")
    assert usage["latenessSeconds"] == {"median": 0.0, "p95": 2.0}
    assert usage["pending"] == {"events": 1, "names": 1}
    assert usage["conflicts"] == 0
    assert report["decisions"] == {"live": 1}
    assert report["lastRun"]["policy"] == "static"
    assert report["experiment"]["name"] == "autumn"
    assert report["killSwitch"]["reason"] == "incident [7]"
    said = flyball("status").out
    for words in ("2 on 1 plans", "api.requests 8", "incident [7]", "autumn", "2 tenants in 4 ms"):
        assert words in said


def test_a_damaged_part_hides_no_other(flyball: Flyball, home: Home) -> None:
    home.events.write_bytes(b"x" * 5000)
    home.bundles.mkdir()
    (home.bundles / "current.json").write_text("{")
    report = status(flyball, code=4)
    assert report["tenants"] == 2
    assert len(report["unreadable"]) == 2
    said = flyball("status")
    assert said.code == 4
    assert "! " in said.out
    assert "Traceback" not in said.out + said.err


def test_an_event_log_that_is_empty(flyball: Flyball, home: Home) -> None:
    SqliteEventStore(home.events).close()
    report = status(flyball)
    assert report["usage"]["events"] == 0
    assert "none yet" in flyball("status").out
