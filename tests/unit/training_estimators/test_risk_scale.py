"""Effects follow risk where the data say so, and only their shape is chosen by that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from training.dataset import Floats
from training.estimators.dose_learner import DoseLearner
from training.estimators.risk_scale import LIMIT, even_scale, risk_scale
from training.estimators.table import EffectTable

Make = Callable[..., EffectTable]


def _in_proportion(make: Make, seed: int, effect: float) -> tuple[EffectTable, Floats]:
    """Upgrades whose chance follows the first feature; a unit of dose multiplies it."""
    table = make(seed, tenants=800)
    rng = np.random.Generator(np.random.Philox(seed))
    risk = 0.1 * np.exp(np.clip(table.subjects.x[:, 0], -2.0, 2.0))
    own = table.subjects.dose[np.arange(len(table)), table.arm]
    upgraded = rng.random(len(table)) < np.clip(risk * (1.0 + effect * own), 0.0, 1.0)
    outcomes = np.column_stack([upgraded.astype(np.float64), table.outcomes[:, 1]])
    expected = np.column_stack([risk, np.full(len(table), 0.15)])
    return replace(table, outcomes=outcomes), expected


def test_an_effect_in_proportion_to_risk_is_scaled_by_it(make: Make) -> None:
    table, expected = _in_proportion(make, 3, 2.0)
    fitted = DoseLearner(redraws=99).fit_residuals(table, expected)
    assert fitted.evidence["risk_power_upgrade"] == 1.0
    slope, _ = fitted.per_dose(table.subjects, 0)
    # Twice the risk of everybody at z = 0 means twice the effect.
    ratio = slope[np.abs(table.subjects.x[:, 0] - np.log(2.0)) < 0.05].mean()
    ratio /= slope[np.abs(table.subjects.x[:, 0]) < 0.05].mean()
    assert 1.6 < ratio < 2.4


def test_an_effect_that_is_the_same_at_every_risk_is_not_scaled(make: Make) -> None:
    table, expected = _in_proportion(make, 4, 0.0)
    own = table.subjects.dose[np.arange(len(table)), table.arm]
    rng = np.random.Generator(np.random.Philox(9))
    more = rng.random(len(table)) < np.clip(0.3 * own, 0.0, 1.0)
    outcomes = np.maximum(table.outcomes, np.column_stack([more, np.zeros(len(table))]))
    fitted = DoseLearner(redraws=99).fit_residuals(replace(table, outcomes=outcomes), expected)
    assert fitted.evidence["risk_power_upgrade"] <= 0.5


def test_scales_average_one_and_stay_within_bounds(make: Make) -> None:
    table, expected = _in_proportion(make, 5, 2.0)
    z = np.asarray(table.subjects.x, dtype=np.float64)
    scale = risk_scale(table, z, expected, seed=1)
    rho = scale.of(np.concatenate([z, 100.0 * z]))
    assert np.isfinite(rho).all()
    assert rho.max() <= scale.norm.max() * np.exp(LIMIT) + 1e-9
    weighted = (rho[: len(z)] * table.variance[:, None]).sum(axis=0) / table.variance.sum()
    assert np.allclose(weighted, 1.0)


def test_where_everybody_risks_the_same_nothing_is_scaled(make: Make) -> None:
    table = make(6)
    z = np.asarray(table.subjects.x, dtype=np.float64)
    flat = np.full(table.outcomes.shape, 0.15)
    scale = risk_scale(table, z, flat, seed=1)
    assert np.array_equal(scale.of(z), even_scale(z.shape[1], 2).of(z))
