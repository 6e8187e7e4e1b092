"""A full disk: a clear error, and nothing that was acknowledged is lost."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.robustness.process import Ended, flyball, serving


def small_files_only(size: int) -> None:
    """Let this process write no file past ``size`` bytes (EFBIG, which a full quota gives too)."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def report(ended: Ended) -> dict[str, int]:
    assert ended.code == 0, ended.err
    counts = json.loads(ended.out)
    found: dict[str, int] = counts["total"]
    return found


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one and a half megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    options = ["-t", "tmpfs", "-o", "size=1536k", "tmpfs", str(place)]
    if os.geteuid() or subprocess.run(["mount", *options], check=False).returncode:
        pytest.skip("a file system can be mounted by root only")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_an_import_onto_a_full_disk_says_so_and_goes_on_later(
    tiny_disk: Path, delivery: Path, tmp_path: Path
) -> None:
    home = tiny_disk / "home"
    full = flyball(home, "import", str(delivery), "--json")
    assert full.code == 4, full.err
    assert "space" in full.err
    assert full.calm
    subprocess.run(["mount", "-o", "remount,size=64m", str(tiny_disk)], check=True)
    again = report(flyball(home, "import", str(delivery), "--json"))
    fresh = report(flyball(tmp_path / "fresh", "import", str(delivery), "--json"))
    for count in (again, fresh):
        assert count["accepted"] + count["duplicates"] == count["read"]
    assert again["read"] == fresh["read"]
    third = report(flyball(home, "import", str(delivery), "--json"))
    assert third["accepted"] == 0


@pytest.mark.parametrize("size", [20_000, 150_000])
def test_an_import_under_a_quota_says_so(tmp_path: Path, delivery: Path, size: int) -> None:
    home = tmp_path / "home"
    full = flyball(home, "import", str(delivery), before=lambda: small_files_only(size))
    assert full.code == 4, full.err
    assert full.calm
    assert len(full.err.strip().splitlines()[-1]) > 10
    assert report(flyball(home, "import", str(delivery), "--json"))["read"] > 0


def test_events_are_refused_with_503_once_the_disk_is_full_and_none_is_lost(
    tiny_disk: Path,
) -> None:
    home = tiny_disk / "home"
    accepted: list[str] = []
    with serving(home, "--data-path-only") as service, service.client() as client:

        def post(first: int) -> int:
            batch = [
                {
                    "specversion": "1.0",
                    "id": f"e{number}",
                    "source": "gw",
                    "type": "api.requests",
                    "subject": "ent_1",
                    "data": {"quantity": 1},
                }
                for number in range(first, first + 500)
            ]
            answer = client.post(
                "/v1/events",
                content=json.dumps(batch),
                headers={"content-type": "application/cloudevents-batch+json"},
            )
            if answer.status_code == 202:
                assert answer.json()["pending"] == 500
                accepted.extend(str(event["id"]) for event in batch)
            else:
                assert answer.headers["retry-after"]
                assert "space" in answer.json()["detail"]
            return answer.status_code

        statuses = [post(first) for first in range(0, 20_000, 500)]
        assert 503 in statuses
        assert 202 in statuses
        assert service.decision("ent_1")["source"] == "unknown_tenant"
        subprocess.run(["mount", "-o", "remount,size=64m", str(tiny_disk)], check=True)
        assert post(90_000) == 202
        assert service.stop() == 0
    import apsw

    log = apsw.Connection(str(home / "events.sqlite"))
    kept = {row[0] for row in log.execute("SELECT event_id FROM pending")}
    log.close()
    assert kept == set(accepted)


def test_deciding_onto_a_full_disk_says_so_and_is_repeated(home: Path, tmp_path: Path) -> None:
    live = ("decide", "--mode", "live", "--publish", "--out", str(tmp_path / "out.ndjson"))
    full = flyball(home, *live, before=lambda: small_files_only(4_096))
    assert full.code == 4, full.err
    assert full.calm
    assert flyball(home, *live).code == 0
