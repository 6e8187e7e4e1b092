"""The R-learner on dose: silent where nothing is, right where something is, honest about both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from training.dataset import Floats
from training.estimators.dose_effects import DoseEffects
from training.estimators.dose_learner import DoseLearner
from training.estimators.table import EffectTable

Make = Callable[..., EffectTable]
Expectation = Callable[[EffectTable], Floats]

REDRAWS = 499
WORLDS = 40


def _fit(table: EffectTable, expectation: Expectation, redraws: int = REDRAWS) -> DoseEffects:
    return DoseLearner(redraws=redraws).fit_residuals(table, expectation(table))


def test_null_worlds_seldom_open_anything(make: Make, expectation: Expectation) -> None:
    opened = 0
    for seed in range(WORLDS):
        fitted = _fit(make(seed, tenants=120), expectation)
        opened += any(outcome.opened for outcome in fitted.outcomes)
    # 40 worlds, 5 % each: more than 6 happens once in 300 times.
    assert opened <= 6


def test_a_closed_world_has_effects_of_exactly_zero(make: Make, expectation: Expectation) -> None:
    table = make(3)
    fitted = _fit(table, expectation)
    assert not any(outcome.opened for outcome in fitted.outcomes)
    effects = fitted.effects(table.subjects)
    assert not effects.mean.any()
    # Not found is not known to be absent.
    assert (effects.sd[:, 0] > 0.0).all()
    assert not effects.sd[:, table.neutral].any()


def test_effects_per_dose_are_covered_by_their_intervals(
    make: Make, expectation: Expectation
) -> None:
    inside = []
    for seed in range(WORLDS):
        fitted = _fit(make(seed, upgrade=0.25, churn=-0.2), expectation, redraws=39)
        for k, true in enumerate((0.25, -0.2)):
            mean, sd = fitted.per_dose(make(0, tenants=1).subjects, k)
            inside.append(abs(mean[0] - true) <= 1.96 * sd[0])
    # Shrinkage may cost a little; fewer than 86 % of 80 would be a broken interval.
    assert np.mean(inside) >= 0.86


def test_a_sign_that_flips_between_segments_opens_the_segment_block(
    make: Make, expectation: Expectation
) -> None:
    table = make(5, tenants=600, churn=0.3, segment_factor=-1.0)
    fitted = _fit(table, expectation)
    churn = fitted.outcomes[1]
    assert "segment" in churn.opened
    effects = fitted.effects(table.subjects)
    first, second = table.subjects.segment == 0, table.subjects.segment == 1
    assert effects.mean[first, 0, 1].mean() > 0.05
    assert effects.mean[second, 0, 1].mean() < -0.05
    assert (effects.trust[:, 0] >= 2).all()


def test_an_unknown_segment_gets_the_pooled_effect_and_more_doubt(
    make: Make, expectation: Expectation
) -> None:
    table = make(5, tenants=600, churn=0.3, segment_factor=-1.0)
    fitted = _fit(table, expectation)
    unknown = replace(table.subjects, segment=np.full(len(table), -1), plan=np.full(len(table), -1))
    mean, sd = fitted.per_dose(unknown, 1)
    assert mean == pytest.approx(fitted.outcomes[1].pooled.mean, abs=1e-12)
    assert (sd > fitted.per_dose(table.subjects, 1)[1]).all()
    assert (fitted.effects(unknown).trust[:, 0] == 1).all()


def test_personal_differences_open_the_personal_block(make: Make, expectation: Expectation) -> None:
    table = make(6, tenants=600, personal=0.25)
    fitted = _fit(table, expectation)
    assert "personal" in fitted.outcomes[1].opened
    slope, _ = fitted.per_dose(table.subjects, 1)
    true = 0.25 * table.subjects.x[:, 0]
    assert np.corrcoef(slope, true)[0, 1] > 0.9
    assert (fitted.effects(table.subjects).trust[:, 0] == 3).all()


def test_what_past_doses_did_opens_carry_over(make: Make, expectation: Expectation) -> None:
    fitted = _fit(make(7, tenants=600, carry=0.6), expectation)
    assert "carry" in fitted.outcomes[1].opened
    # Halved every week, so the sum over the future is 0.6 · (1/2 + 1/4 + ...).
    assert fitted.outcomes[1].half_life <= 2.0
    assert fitted.outcomes[1].carry_mean == pytest.approx(0.6, abs=0.3)


def test_of_a_larger_dose_less_is_felt(make: Make, expectation: Expectation) -> None:
    table = replace(make(2, tenants=600, upgrade=0.5), half_felt=0.2)
    fitted = _fit(table, expectation)
    dose = np.tile([0.2, 0.1, 0.0, -0.1, -0.2], (len(table), 1))
    mean = fitted.effects(replace(table.subjects, dose=dose)).mean[:, :, 0]
    assert "pooled" in fitted.outcomes[0].opened
    assert mean[0, 0] == pytest.approx(1.5 * mean[0, 1])
    assert mean[:, 0] == pytest.approx(-mean[:, 4])


def test_a_rare_outcome_opens_nothing_of_its_own(make: Make, expectation: Expectation) -> None:
    table = make(5, tenants=600, churn=0.3, segment_factor=-1.0)
    few = table.outcomes.copy()
    few[np.flatnonzero(few[:, 1])[40:], 1] = 0.0
    fitted = _fit(replace(table, outcomes=few), expectation)
    assert not fitted.outcomes[1].opened
    assert fitted.outcomes[1].pooled.mean == 0.0
    assert fitted.outcomes[1].pooled.sd > 0.0


def test_too_few_events_are_said_and_leave_no_effect(make: Make) -> None:
    table = make(1, tenants=30, rate=0.02)
    fitted = DoseLearner(redraws=9).fit(table)
    assert "insufficient evidence" in fitted.summary
    assert not fitted.effects(table.subjects).trust.any()


def test_fitting_with_cross_fitted_expectations_finds_the_same_effect(make: Make) -> None:
    fitted = DoseLearner(redraws=REDRAWS).fit(make(2, tenants=600, upgrade=0.3))
    assert fitted.evidence["slope_upgrade"] == pytest.approx(0.3, abs=0.1)
    assert "upgrade (pooled" in fitted.summary
