"""A home that cannot be written: reading works, serving goes on, writing says why not."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.robustness.process import flyball, serving


@pytest.fixture
def locked(home: Path) -> Iterator[Path]:
    """The home without a single write permission."""
    kept = {path: path.stat().st_mode for path in (home, *home.rglob("*"))}
    for path, mode in kept.items():
        path.chmod(mode & ~0o222 | 0o444)
    above = [path for path in home.parents if str(path).startswith("/tmp/")]
    opened = {path: path.stat().st_mode for path in above}
    for path, mode in opened.items():
        path.chmod(mode | 0o055)
    yield home
    for path, mode in {**kept, **opened}.items():
        if path.exists():
            path.chmod(mode)


def nobody() -> tuple[str, ...]:
    """What makes a command run without root's power to write everywhere."""
    if os.geteuid():
        return ()
    if shutil.which("setpriv") is None:
        pytest.skip("root can write everywhere, and there is no setpriv")
    return ("setpriv", "--bounding-set", "-all", "--inh-caps", "-all", "--")


def test_reading_commands_work(locked: Path, tmp_path: Path, delivery: Path) -> None:
    status = flyball(locked, "status", "--json", prefix=nobody())
    assert status.code == 0, status.err
    assert status.calm
    for writing in (
        ("import", str(delivery)),
        ("decide", "--mode", "live", "--out", str(tmp_path / "x.ndjson")),
        ("kill", "on", "--reason", "drill"),
        ("token", "create", "--role", "gateway", "--name", "edge"),
    ):
        ended = flyball(locked, *writing, prefix=nobody())
        assert ended.code == 4, (writing, ended.err)
        assert ended.calm, (writing, ended.err)
        assert str(locked) in ended.err
        assert "owner" in ended.err or "--home" in ended.err


def test_the_last_snapshot_is_served(locked: Path, tightened: str) -> None:
    with serving(locked, prefix=nobody()) as service:
        service.ready()
        found = service.decision(tightened)
        assert (found["source"], found["dynamicMultiplier"]) == ("fresh", 0.85)
        with service.client() as client:
            put = client.put("/v1/plans", json=[])
            assert put.status_code in (422, 503)
        assert service.stop() == 0
    assert "last snapshot only" in service.said
    assert "Traceback" not in service.said
