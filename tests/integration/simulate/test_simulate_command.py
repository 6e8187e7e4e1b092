"""``flyball simulate`` as a person types it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from commands.main import run
from telemetry.file_lock import directory_lock

WORLD = ("--families", "habit", "--tenants", "80", "--seeds", "3", "--weeks", "3")
#: Lasts longer than any test looks at it.
LONG = ("--families", "smooth", "--tenants", "3000", "--seeds", "1", "--policies", "oracle")


def _simulate(home: Path, *arguments: str) -> int:
    return run(["--home", str(home), "simulate", *arguments])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--families", "magic"), "Known are: smooth"),
        (("--policies", "valeu"), "Did you mean value?"),
        (("--policies", "constant_90"), "no arm 90"),
        (("--tenants", "10"), "from 50"),
        (("--seeds", "x"), "whole number"),
        (("--seeds", ","), "names nothing"),
    ],
)
def test_what_cannot_be_played_is_refused_before_anything_runs(
    arguments: tuple[str, ...],
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert _simulate(tmp_path / "home", *arguments) != 0
    assert words in capsys.readouterr().err
    assert not (tmp_path / "home").exists()


def test_the_simulators_own_players_are_compared_and_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home, figures, report = tmp_path / "home", tmp_path / "f.json", tmp_path / "r.html"
    asked = (*WORLD, "--json", str(figures), "--out", str(report))
    assert _simulate(home, *asked, "--policies", "static,constant_70") == 0
    assert "habit, 80 tenants" in capsys.readouterr().out
    cells = json.loads(figures.read_text())["cells"]
    assert {(cell["family"], cell["policy"], cell["seed"]) for cell in cells} == {
        ("habit", "static", 3),
        ("habit", "constant_70", 3),
    }
    assert "<svg" in report.read_text()
    assert not list((home / "simulate" / "work").iterdir())
    kept = sorted((home / "simulate").glob("cells-*/*.json"))
    before = [path.stat().st_mtime_ns for path in kept]
    assert _simulate(home, *asked, "--policies", "static,constant_70,oracle") == 0
    assert [path.stat().st_mtime_ns for path in kept] == before
    assert len(json.loads(figures.read_text())["cells"]) == 3
    capsys.readouterr()
    with directory_lock(home / "simulate", wait=False):
        assert _simulate(home, *asked, "--policies", "oracle") == 0
    assert "there already" in capsys.readouterr().err


@pytest.mark.train
@pytest.mark.slow
def test_the_product_plays_a_world_without_breaking_a_guardrail(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = tmp_path / "f.json"
    code = _simulate(
        tmp_path / "home", *WORLD, "--policies", "static,value", "--json", str(figures)
    )
    assert code == 0, capsys.readouterr().err
    cells = {cell["policy"]: cell for cell in json.loads(figures.read_text())["cells"]}
    assert sum(cells["value"]["figures"]["violations"].values()) == 0
    assert "insufficient evidence" in cells["value"]["learnt"]["effects"]
    # So few tenants prove nothing, and without evidence the policy stays at 1.
    assert cells["value"]["figures"]["chosen_at_one_percent"] == 100.0
    assert not list((tmp_path / "home" / "simulate" / "work").iterdir())


@pytest.mark.train
@pytest.mark.slow
def test_a_world_lives_with_a_real_service_over_http(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = tmp_path / "f.json"
    asked = ("--families", "smooth", "--tenants", "60", "--seeds", "1", "--weeks", "2")
    code = _simulate(
        tmp_path / "home", *asked, "--policies", "value", "--http", "--json", str(figures)
    )
    assert code == 0, capsys.readouterr().err
    found = json.loads(figures.read_text())
    receipts = found["receipts"]
    assert len(found["weeks"]) == 2
    for week in found["weeks"]:
        assert week["fresh"] == week["tenants"] > 40
        assert week["violations"] == 0
    assert receipts["rejected"] == receipts["pending"] == 0
    assert receipts["accepted"] + receipts["duplicate"] == found["posted"] > 5_000
    # A gateway that is not sure posts again; nothing counts twice.
    assert receipts["duplicate"] > 0


@dataclass(frozen=True)
class Grid:
    """A `flyball simulate` that is playing one world in a process of its own."""

    home: Path
    process: subprocess.Popen[str]
    world: int


@pytest.fixture
def grid(tmp_path: Path) -> Iterator[Grid]:
    home = tmp_path / "home"
    process = subprocess.Popen(
        [sys.executable, "-m", "commands", "--home", str(home), "simulate", *LONG],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    log = home / "simulate" / "logs" / "smooth-3000-1.log"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (log.exists() and "history" in log.read_text()):
        time.sleep(0.05)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert len(children) == 1
    yield Grid(home, process, int(children[0]))
    process.kill()
    process.communicate(timeout=30)


def _runs(pid: int) -> bool:
    """Whether the process is there; one that its new parent has still to bury is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_ended_grid_stops_its_worlds_and_leaves_nothing_half_done(
    grid: Grid, number: signal.Signals
) -> None:
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip(f"{number.name} is ignored here, as under nohup, and children inherit that")
    assert _runs(grid.world)
    grid.process.send_signal(number)
    _, words = grid.process.communicate(timeout=30)
    assert grid.process.returncode == 130
    assert "interrupted" in words
    assert not _runs(grid.world)
    assert not list((grid.home / "simulate" / "work").iterdir())
    assert not list((grid.home / "simulate").glob("cells-*/*"))


def test_a_second_grid_is_refused_and_the_worlds_of_a_killed_one_end(
    grid: Grid, capsys: pytest.CaptureFixture[str]
) -> None:
    work = grid.home / "simulate" / "work" / "smooth-3000-1"
    assert _simulate(grid.home, *LONG) == 4
    words = capsys.readouterr().err
    assert f"({grid.process.pid})" in words
    assert "another --home" in words
    assert work.is_dir()
    assert _runs(grid.world)
    grid.process.kill()
    grid.process.wait(30)
    deadline = time.monotonic() + 10
    while _runs(grid.world) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _runs(grid.world)
    with directory_lock(grid.home / "simulate", wait=False):
        pass
