"""HAProxy sees for itself how old the sidecar's files are, and whether the sidecar lives."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.integration.gateways.haproxy.haproxy_process import haproxy, need_haproxy
from tests.integration.gateways.service_behind import ServiceBehind
from tests.integration.node.test_sidecar import wait_for


@pytest.fixture(autouse=True)
def installed() -> None:
    need_haproxy()


def stand(folder: Path, state: str, *, age: int, silent: int = 0) -> None:
    """Write `state.json` as a sidecar that last wrote ``silent`` seconds ago would have."""
    now = int(time.time())
    told = {"state": state, "why": "", "published": now - age, "written": now - silent}
    partial = folder / "state.json.part"
    partial.write_text(json.dumps(told, separators=(",", ":")))
    partial.replace(folder / "state.json")


def test_an_old_copy_is_enforced_only_while_the_sidecar_relaxes_it(
    behind: ServiceBehind, tmp_path: Path
) -> None:
    files = tmp_path / "flyball"
    files.mkdir()
    for name, text in {
        "tenant": "ent_1 ent_1\nent_2 ent_2\n",
        "limit": "ent_1 2\nent_2 9\n",
        "window": "ent_1 86400\nent_2 2592000\n",
        "concurrency": "",
        "state": "state last_known_good\n",
    }.items():
        (files / f"{name}.map").write_text(text)
    stand(files, "last_known_good", age=1_000)
    with haproxy(tmp_path, files, behind.port) as running:

        def state() -> str:
            told: str = running.get(key="key-1").headers["Flyball-State"]
            return told

        wait_for(lambda: state() == "last_known_good", 3)
        assert running.passed(5) <= 1
        stand(files, "last_known_good", age=1_000, silent=60)  # nobody relaxes the maps any more
        wait_for(lambda: state() == "open", 3)
        assert running.passed(5) == 5
        stand(files, "fresh", age=10, silent=60)  # the sidecar is dead, its copy is still good
        wait_for(lambda: state() == "fresh", 3)
        assert running.passed(5) == 0
        # A month is no period that a stick table can have: not enforced, and nothing claimed.
        monthly = running.get(key="key-2")
        assert monthly.status_code == 200
        assert "X-RateLimit-Limit" not in monthly.headers
        (files / "state.json").unlink()
        wait_for(lambda: state() == "open", 3)
