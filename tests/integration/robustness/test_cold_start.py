"""The ladder: with everything else gone, decisions are served and say what they are."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest

from flyball.home import Home
from models.signature import load_private_key
from serving.snapshot.writer import SnapshotWriter
from tests.integration.robustness.process import serving, until
from tests.integration.service.running import entry

MINUTE_US = 60_000_000


def lose_everything_but_the_snapshot(home: Path) -> None:
    for path in home.iterdir():
        if path.name not in ("snapshot", "keys"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    (home / "keys" / "signing.pem").unlink()


def test_the_snapshot_alone_is_enough(home: Path, tightened: str) -> None:
    lose_everything_but_the_snapshot(home)
    with serving(home, "--data-path-only") as service:
        service.ready()
        found = service.decision(tightened)
        assert (found["source"], found["dynamicMultiplier"]) == ("fresh", 0.85)
        nobody = service.decision("nobody")
        assert (nobody["source"], nobody["dynamicMultiplier"]) == ("unknown_tenant", 1.0)
        assert service.stop() == 0


@pytest.mark.parametrize("store", ["ledger.sqlite", "events.sqlite"])
def test_a_damaged_store_costs_only_what_needs_it(home: Path, tightened: str, store: str) -> None:
    for name in (f"{store}-wal", f"{store}-shm"):
        (home / name).unlink(missing_ok=True)
    (home / store).write_bytes(b"\0not a database" * 1_000)
    with serving(home) as service:
        service.ready()
        assert service.decision(tightened)["dynamicMultiplier"] == 0.85
        with service.client() as client:
            answer = client.get("/v1/overrides")
            assert answer.status_code == (503 if store == "ledger.sqlite" else 200)
            event = {
                "specversion": "1.0",
                "id": "1",
                "source": "gw",
                "type": "api.requests",
                "subject": tightened,
                "data": {"quantity": 1},
            }
            posted = client.post(
                "/v1/events",
                content=json.dumps(event),
                headers={"content-type": "application/cloudevents+json"},
            )
        assert posted.status_code == 503
        assert posted.headers["retry-after"]
        assert "damaged" in posted.json()["detail"]
        until(lambda: "damaged" in service.said, what=service.said)
        assert service.decision(tightened)["source"] == "fresh"
        assert service.stop() == 0
    assert "Traceback" not in service.said


@pytest.mark.parametrize(
    ("age_minutes", "source", "low", "high"),
    [(1, "fresh", 0.85, 1.15), (60, "last_known_good", 1.0, 1.15), (25 * 60, "plan_default", 1, 1)],
)
def test_an_older_snapshot_is_served_more_cautiously(
    home: Path, age_minutes: int, source: str, low: float, high: float
) -> None:
    lay = Home(home)
    shutil.rmtree(lay.snapshot)
    writer = SnapshotWriter(lay.snapshot, load_private_key(lay.signing_key))
    then_us = time.time_ns() // 1_000 - age_minutes * MINUTE_US
    writer.publish_all(
        [entry("ent_low", 85), entry("ent_high", 115)],
        aliases={},
        created_us=then_us,
        as_of_us=then_us,
    )
    lose_everything_but_the_snapshot(home)
    with serving(home, "--data-path-only") as service:
        service.ready()
        for name, multiplier in (("ent_low", low), ("ent_high", high)):
            found = service.decision(name)
            assert found["source"] == source
            assert found["dynamicMultiplier"] == multiplier
            assert found["enforceFriction"] is (multiplier < 1)


def test_a_home_without_anything_answers_that_it_knows_nobody(tmp_path: Path) -> None:
    with serving(tmp_path / "home", "--data-path-only") as service:
        with service.client() as client:
            until(lambda: client.get("/livez").status_code == 200)
            assert client.get("/readyz").status_code == 503
        assert service.decision("ent_1")["source"] == "unknown_tenant"
        assert service.stop() == 0
