"""Ctrl-C at any moment: exit code 130, no stack trace, no half state, and a rerun completes."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.integration.robustness.process import Ended, command_line, environment, flyball

#: Seconds after the command has begun to work, drawn once so that failures can be repeated.
MOMENTS = sorted(random.Random(11).uniform(0.0, 2.0) for _ in range(5))


def interrupted(home: Path, wait_s: float, *arguments: str) -> Ended:
    """Send SIGINT ``wait_s`` seconds after our code took over from the interpreter's start."""
    process = subprocess.Popen(
        command_line(home, *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    started = time.monotonic()
    # Before ours, Python itself handles Ctrl-C: wait until our packages are being read.
    maps = Path(f"/proc/{process.pid}/maps")
    while time.monotonic() - started < 5 and process.poll() is None:
        if "apsw" in maps.read_text() or "pyarrow" in maps.read_text():
            break
        time.sleep(0.01)
    time.sleep(wait_s)
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    # Python may end by the signal itself at the very end, which a shell calls 130 too.
    code = 130 if process.returncode == -signal.SIGINT else process.returncode
    return Ended(code, out, err)


def total(ended: Ended) -> dict[str, int]:
    assert ended.code == 0, ended.err
    found: dict[str, int] = json.loads(ended.out)["total"]
    return found


def test_import_goes_on_where_it_was_interrupted(
    tmp_path: Path, delivery: Path, filled: Path
) -> None:
    home = tmp_path / "home"
    for wait_s in MOMENTS:
        ended = interrupted(home, wait_s, "import", str(delivery), "--json")
        assert ended.code in (0, 130), ended.err
        assert ended.calm, ended.err
    last = total(flyball(home, "import", str(delivery), "--json"))
    assert last["accepted"] + last["duplicates"] == last["read"]
    assert counted(home) == counted(filled)


def counted(home: Path) -> object:
    status = flyball(home, "status", "--json")
    assert status.code == 0, status.err
    usage = json.loads(status.out)["usage"]
    return {name: usage[name] for name in ("events", "byMeter", "pending", "conflicts")}


def test_decide_is_all_or_nothing(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.ndjson"
    live = ("decide", "--mode", "live", "--publish", "--out", str(out))
    for wait_s in MOMENTS[:3]:
        out.unlink(missing_ok=True)
        ended = interrupted(home, wait_s, *live)
        assert ended.code in (0, 130), ended.err
        assert ended.calm, ended.err
        assert (ended.code == 0) <= out.exists()
    assert flyball(home, *live).code == 0


@pytest.mark.slow
@pytest.mark.train
def test_train_leaves_nothing_half_registered(home: Path) -> None:
    for wait_s in (0.5, 4.0):
        ended = interrupted(home, wait_s, "train")
        assert ended.code in (0, 2, 3, 130), ended.err
        assert ended.calm, ended.err
    listed = flyball(home, "models")
    assert listed.code == 0, listed.err
    assert flyball(home, "status").code == 0
