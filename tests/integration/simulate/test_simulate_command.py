"""``flyball simulate`` as a person types it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from commands.main import run

WORLD = ("--families", "habit", "--tenants", "80", "--seeds", "3", "--weeks", "3")


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


def test_an_interrupted_grid_stops_its_worlds_and_leaves_nothing_half_done(tmp_path: Path) -> None:
    home = tmp_path / "home"
    asked = ("--families", "smooth", "--tenants", "3000", "--seeds", "1", "--policies", "oracle")
    process = subprocess.Popen(
        [sys.executable, "-m", "commands", "--home", str(home), "simulate", *asked],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    log = home / "simulate" / "logs" / "smooth-3000-1.log"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (log.exists() and "history" in log.read_text()):
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, words = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted" in words
    assert not list((home / "simulate" / "work").iterdir())
    assert not list((home / "simulate").glob("cells-*/*"))
