"""The Qini curve rewards rankings that find whom an arm moves, and nothing else."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from training.off_policy.logged import LoggedBandit
from training.qini import MIN_ROWS, Qini, qini_curves

ARMS = (70, 100)
ROWS = 40_000


def held(score: np.ndarray, effect: np.ndarray, seed: int = 3) -> Any:
    """Rows whose arm 70 adds ``effect`` to an upgrade chance of 10 %; ``score`` predicts it."""
    rng = np.random.default_rng(seed)
    rows = len(effect)
    arm = rng.integers(0, 2, rows)
    upgraded = rng.random(rows) < 0.1 + effect * (arm == 0)
    effects = np.zeros((rows, 2, 3))
    effects[:, 0, 0] = score
    logged = LoggedBandit(
        reward=np.zeros(rows),
        arm=arm,
        offered=np.full((rows, 2), 0.5),
        cluster=np.arange(rows) // 2,
    )
    return SimpleNamespace(
        rows=SimpleNamespace(arms=ARMS, codes=lambda: upgraded.astype(np.int64)),
        logged=logged,
        hazards=np.full((rows, 3), 0.1),
        effects=effects,
    )


def only(found: tuple[Qini, ...]) -> Qini:
    assert [(each.outcome, each.arm) for each in found] == [("upgrade", 70)]
    return found[0]


EFFECT = np.where(np.arange(ROWS) % 4 == 0, 0.2, 0.0)


def test_the_curve_ends_at_what_the_arm_causes() -> None:
    found = only(qini_curves(held(EFFECT, EFFECT)))
    assert found.caused[0] == 0.0
    assert found.caused[-1] == pytest.approx(0.05, abs=2.0 * found.half[-1])
    assert found.half[-1] < 0.015


def test_a_true_ranking_has_the_area_of_its_truth() -> None:
    found = only(qini_curves(held(EFFECT, EFFECT)))
    # A quarter of the rows holds all 0.05: a triangle over the diagonal of height 0.0375.
    assert found.coefficient == pytest.approx(0.05 * 0.75 / 2.0, abs=2.5 * found.error)
    assert found.ranks
    area = np.trapezoid(found.caused - found.share * found.caused[-1], found.share)
    assert found.coefficient == pytest.approx(area, abs=5e-4)


def test_a_ranking_upside_down_is_worse_than_chance() -> None:
    found = only(qini_curves(held(-EFFECT, EFFECT)))
    assert found.coefficient < -5.0 * found.error
    assert not found.ranks


def test_a_random_ranking_rarely_counts_as_one() -> None:
    rng = np.random.default_rng(4)
    wins = 0
    for seed in range(40):
        effect = EFFECT[:4000]
        wins += only(qini_curves(held(rng.random(4000), effect, seed))).ranks
    assert wins <= 6


def test_effects_that_are_all_alike_have_nothing_to_rank() -> None:
    assert qini_curves(held(np.full(ROWS, 0.1), EFFECT)) == ()


def test_an_arm_drawn_too_rarely_has_no_curve() -> None:
    few = EFFECT[: MIN_ROWS // 2]
    assert qini_curves(held(few, few)) == ()


def test_the_order_of_tied_rows_says_nothing() -> None:
    made = held(np.round(EFFECT, 1), EFFECT)
    order = np.random.default_rng(1).permutation(ROWS)
    turned = held(np.round(EFFECT, 1), EFFECT)
    codes = made.rows.codes()[order]
    turned.rows = SimpleNamespace(arms=ARMS, codes=lambda: codes)
    turned.logged, turned.effects = made.logged.take(order), made.effects[order]
    assert only(qini_curves(turned)).coefficient == pytest.approx(
        only(qini_curves(made)).coefficient
    )
