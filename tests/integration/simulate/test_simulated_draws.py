"""Who explores what in a simulated world follows from the world, so that it can be played again."""

from __future__ import annotations

from pathlib import Path

from commands.simulated_product import explore
from flyball.experiment import Experiment
from flyball.home import Home
from flyball.instant import parse_instant
from ledger.sqlite_ledger import open_ledger

STARTS = parse_instant("2026-03-02T00:00:00Z")


def started(root: Path, family: str, seed: int) -> Experiment:
    home = Home(root)
    root.mkdir()
    explore(home, STARTS, epsilon=0.05, holdout=0.1, family=family, seed=seed)
    with open_ledger(home) as ledger:
        found = ledger.experiment_as_of(STARTS)
    assert found is not None
    return found


def test_the_same_world_draws_alike_and_another_seed_or_family_does_not(tmp_path: Path) -> None:
    first = started(tmp_path / "first", "smooth", 1)
    assert started(tmp_path / "again", "smooth", 1) == first
    assert started(tmp_path / "seed", "smooth", 2).secret != first.secret
    assert started(tmp_path / "family", "null", 1).secret != first.secret
