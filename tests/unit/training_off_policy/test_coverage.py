"""A short form of ``benchmarks/off_policy_coverage.py``: the promise, with a wide tolerance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.off_policy_coverage import BAD, GOOD, World, draw, replicate, truth
from training.off_policy.estimator import Estimator
from training.off_policy.value import ValueSettings

REPLICATIONS = 200
#: Four standard errors of a share of 0.95 over 200 replications, on either side.
LEAST, MOST = 0.89, 1.0
#: Enough for the truth at a wide tolerance.
FEWER = 60_000
SMALL = [
    (replace(GOOD[0], organisations=1500), Estimator.DR),
    (replace(GOOD[1], organisations=450), Estimator.SNIPS),
]
WAYS = [ValueSettings(estimator=e) for e in (Estimator.SNIPS, Estimator.DR)]


@pytest.mark.parametrize(("world", "estimator"), SMALL)
def test_intervals_cover_where_overlap_is_good(world: World, estimator: Estimator) -> None:
    way = ValueSettings(estimator=estimator)
    for pair in replicate(world, REPLICATIONS, 5, [way], truth_organisations=FEWER):
        for tally in pair:
            assert LEAST <= tally.covered / tally.spoke <= MOST
            assert tally.refused <= 0.1 * tally.enough


@pytest.mark.parametrize("world", BAD, ids=lambda world: world.name)
def test_nothing_is_reported_where_overlap_is_bad(world: World) -> None:
    for pair in replicate(world, 5, 5, WAYS, truth_organisations=10_000):
        assert [tally.spoke for tally in pair] == [0, 0]


def test_taking_rows_as_independent_would_not_cover() -> None:
    world = World(name="alike", organisations=120, size=30.0, likeness=1.5)
    true, covered = truth(world, organisations=FEWER)[0], 0
    for seed in range(60):
        log = draw(world, np.random.default_rng(seed))
        weight = log.logged.assigned(log.target) / log.logged.propensity * log.logged.reward
        half = 1.96 * float(weight.std()) / np.sqrt(len(weight))
        covered += abs(float(weight.mean()) - true) <= half
    assert covered < 0.85 * 60
