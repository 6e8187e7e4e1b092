"""Figures are what their definitions say."""

from __future__ import annotations

import numpy as np
import pytest

from training.evaluation import bins, evaluate, gain, judge, quality
from training.outcome_model import sigmoid
from training.rehearsal import World, rehearse

RNG = np.random.default_rng(4)
LOG_ODDS = RNG.normal(-3.0, 1.0, 40_000)
TRUE = sigmoid(LOG_ODDS)
HAPPENED = RNG.random(40_000) < TRUE
BASE = np.full(40_000, HAPPENED.mean())


def test_true_probabilities_are_found_calibrated() -> None:
    found = quality(TRUE, BASE, HAPPENED)
    assert found.slope == pytest.approx(1.0, abs=3 * (found.slope_error or 0.0))
    assert found.intercept == pytest.approx(0.0, abs=0.2)
    assert found.predicted == pytest.approx(found.observed, rel=0.05)
    assert found.ece is not None
    assert found.ece_noise is not None
    assert found.ece < 2.0 * found.ece_noise
    assert found.log_loss < found.log_loss_base
    assert found.brier < found.brier_base


def test_overconfident_probabilities_have_a_slope_below_one() -> None:
    found = quality(sigmoid(2.0 * LOG_ODDS + 3.0), BASE, HAPPENED)
    assert found.slope == pytest.approx(0.5, abs=0.05)


def test_auc_counts_pairs_ranked_right_and_ties_half() -> None:
    predicted = np.array([0.1, 0.2, 0.2, 0.9])
    happened = np.array([False, True, False, True])
    assert quality(predicted, np.full(4, 0.5), happened).auc == pytest.approx(3.5 / 4.0)


def test_the_auc_agrees_with_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rounded = np.round(TRUE, 2)
    found = quality(rounded, BASE, HAPPENED).auc
    assert found == pytest.approx(float(metrics.roc_auc_score(HAPPENED, rounded)))


def test_figures_that_cannot_be_computed_are_missing() -> None:
    flat = quality(BASE, BASE, HAPPENED)
    assert flat.auc is None
    assert flat.slope is None
    none = quality(TRUE, BASE, np.zeros(40_000, dtype=bool))
    assert none.auc is None
    empty = quality(TRUE[:0], BASE[:0], HAPPENED[:0])
    assert empty.rows == 0
    assert "auc" not in empty.figures()


def test_bins_hold_equal_numbers_and_gain_ends_at_everything() -> None:
    _, observed, count = bins(TRUE, HAPPENED)
    assert set(count) == {4000.0}
    assert observed[-1] > observed[0]
    taken, caught = gain(TRUE, HAPPENED)
    assert taken[-1] == caught[-1] == 1.0
    assert (np.diff(caught) >= 0).all()


def test_predictions_are_judged_under_the_arm_that_was_served() -> None:
    dataset = rehearse(World(tenants=50, weeks=4))
    hazards = np.full((200, 3), 0.02)
    plain = judge(dataset, hazards, (0.02, 0.02, 0.02), {})
    moved = judge(dataset, hazards, (0.02, 0.02, 0.02), {"churn": {"friction": 5.0}})
    felt = dataset.assigned_dose() > 0.01
    assert (moved[2].probability[felt] > plain[2].probability[felt]).all()
    assert np.allclose(moved[2].probability[dataset.assigned_dose() <= 0], 0.02)
    assert moved[2].base.mean() == pytest.approx(0.02)


def test_groups_with_too_few_events_are_left_out() -> None:
    dataset = rehearse(World(tenants=400, weeks=10, base=(0.05, 0.0, 0.05)))
    judged = judge(dataset, np.full((4000, 3), 0.03), (0.03, 0.03, 0.03), {})
    report = evaluate(dataset, judged)
    assert set(report.groups["segment"]) == {"enterprise", "smb"}
    assert set(report.groups["plan"]["pro"]) == {"upgrade", "churn"}
