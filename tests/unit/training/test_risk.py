"""Risk models beat the base rate, are calibrated at m = 1, or say that they do not exist."""

from __future__ import annotations

import numpy as np
import pytest

from training.calibration import fit_calibration
from training.outcome_model import sigmoid
from training.rehearsal import World, rehearse
from training.risk import RiskModel, fit_risks, hazards
from training.split import split_rows

pytestmark = pytest.mark.train

DATASET = rehearse(World(tenants=1_000, weeks=16))


@pytest.fixture(scope="module")
def models() -> tuple[RiskModel, ...]:
    return fit_risks(DATASET, split_rows(DATASET))


def test_the_better_model_is_chosen_and_beats_the_base_rate(models: tuple[RiskModel, ...]) -> None:
    for model in models:
        assert model.fitted.kind in {"logistic", "lightgbm"}
        best = min(model.losses[kind] for kind in ("logistic", "lightgbm"))
        assert model.losses[model.fitted.kind] == best < model.losses["base_rate"]


def test_hazards_are_probabilities_of_competing_outcomes(models: tuple[RiskModel, ...]) -> None:
    wild = np.array([[np.nan] * 4, [np.inf] * 4, [-np.inf] * 4, [3e38] * 4], dtype=np.float32)
    found = hazards(models, wild)
    assert np.isfinite(found).all()
    assert (found >= 0.0).all()
    assert (found.sum(axis=1) <= 1.0 + 1e-12).all()


def test_the_same_rows_and_seed_give_the_same_model(models: tuple[RiskModel, ...]) -> None:
    again = fit_risks(DATASET, split_rows(DATASET))
    x = DATASET.matrix()[:200]
    assert np.array_equal(hazards(models, x), hazards(again, x))


def test_too_few_events_mean_no_model_and_say_so() -> None:
    rare = rehearse(World(tenants=500, weeks=10, base=(0.03, 0.0, 0.0005)))
    upgrade, downgrade, churn = fit_risks(rare, split_rows(rare))
    assert upgrade.fitted.kind != "none"
    assert downgrade.fitted.kind == churn.fitted.kind == "none"
    assert "too few events: " in churn.fitted.reason
    assert 0.0 < downgrade.fitted.base_rate < 0.01


def test_without_any_signal_there_is_no_model() -> None:
    noise = rehearse(World(tenants=300, weeks=12, signal=0.0, base=(0.05, 0.05, 0.05)))
    reasons = [m.fitted.reason for m in fit_risks(noise, split_rows(noise))]
    assert any("base rate" in reason for reason in reasons)


def test_calibration_finds_the_risk_at_one_under_other_arms() -> None:
    rng = np.random.default_rng(3)
    score = rng.normal(-3.0, 1.0, 60_000)
    dose = rng.choice([-0.2, 0.0, 0.3], 60_000)
    truth = 0.4 + 0.8 * score
    happened = rng.random(60_000) < sigmoid(truth + 3.0 * np.maximum(dose, 0.0))
    fit = fit_calibration(score, happened, dose)
    assert fit.platt.slope == pytest.approx(0.8, abs=0.08)
    assert fit.platt.intercept == pytest.approx(0.4, abs=0.2)
    assert fit.friction == pytest.approx(3.0, abs=0.4)
    assert fit.relief == pytest.approx(0.0, abs=0.6)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_calibration_without_both_kinds_of_rows_changes_nothing(share: float) -> None:
    happened = np.full(10, bool(share))
    fit = fit_calibration(np.zeros(10), happened, np.zeros(10))
    assert (fit.platt.slope, fit.platt.intercept) == (1.0, 0.0)
