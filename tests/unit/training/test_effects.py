"""Arm effects: found where they are, exactly 0 where chance explains them, absent otherwise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from training.contrast import contrasts, trials_of
from training.dataset import Dataset
from training.effects import ArmEffects, ArmMeans
from training.rehearsal import SEGMENTS, World, rehearse

BASE = (0.04, 0.01, 0.03)


def fit(dataset: Dataset, seed: int = 7) -> ArmEffects:
    return ArmMeans(seed=seed, redraws=99).fit(dataset, SEGMENTS)


def true_effect(dataset: Dataset, per_dose: float) -> np.ndarray:
    dose = dataset.dose()
    felt = ~(np.abs(dose) < 0.005).all(axis=1)
    return np.asarray(per_dose * dose[felt].mean(axis=0))


def test_a_known_effect_is_found_within_its_uncertainty() -> None:
    dataset = rehearse(
        World(tenants=1500, weeks=20, base=BASE, upgrade_effect=0.2, churn_effect=0.15)
    )
    effects = fit(dataset)
    assert effects.present
    for outcome, per_dose in ((0, 0.2), (2, 0.15)):
        truth = true_effect(dataset, per_dose)
        gap = np.abs(effects.mean[-1, :, outcome] - truth)
        assert effects.mean[-1, 0, outcome] > 0.01
        assert (gap <= 3.5 * effects.sd[-1, :, outcome] + 1e-12).all()


def test_the_neutral_arm_has_no_effect_on_itself() -> None:
    effects = fit(rehearse(World(tenants=800, weeks=12, base=BASE, upgrade_effect=0.2)))
    neutral = effects.arms.index(100)
    assert not effects.mean[:, neutral].any()
    assert not effects.sd[:, neutral].any()
    assert not effects.trust[:, neutral].any()


def test_where_chance_explains_everything_the_effect_is_exactly_zero_but_uncertain() -> None:
    closed = 0
    for seed in range(10):
        dataset = rehearse(World(tenants=1000, weeks=12, base=BASE, seed=seed))
        effects = fit(dataset, seed)
        closed += int(not effects.mean.any())
        arm = effects.arms.index(70)
        assert effects.trust[-1, arm] > 0
        assert (effects.sd[-1, arm] > 0).all()
    # Six tests at 5 % each: about seven of ten null worlds stay entirely closed.
    assert closed >= 5


def test_too_few_events_are_said_and_leave_effects_absent() -> None:
    effects = fit(rehearse(World(tenants=60, weeks=6, base=BASE)))
    assert not effects.present
    assert not effects.mean.any()
    assert "insufficient evidence" in effects.summary


def test_history_without_draws_has_no_effects() -> None:
    effects = fit(rehearse(World(tenants=200, weeks=10, base=BASE, drawn=False)))
    assert not effects.present
    assert "no decision was drawn" in effects.summary


def test_a_segment_that_differs_gets_its_own_effect() -> None:
    world = World(
        tenants=2400, weeks=24, base=BASE, upgrade_effect=0.25, segment_factor=-1.0, seed=5
    )
    effects = fit(rehearse(world))
    arm = effects.arms.index(70)
    enterprise, smb = effects.mean[0, arm, 0], effects.mean[1, arm, 0]
    assert enterprise > 0.02 > 0.0 > smb
    assert effects.trust[0, arm] == effects.trust[1, arm] == 2


def test_rows_whose_propensities_were_not_all_logged_are_not_analysed() -> None:
    dataset = rehearse(World(tenants=100, weeks=5))
    half = dataset.rows.set_column(
        dataset.rows.column_names.index("offered_70"), "offered_70", pa.nulls(500, pa.float64())
    )
    assert not len(trials_of(replace(dataset, rows=half)))


def test_rows_that_feel_no_arm_are_not_analysed() -> None:
    dataset = rehearse(World(tenants=300, weeks=5))
    quiet = (np.abs(dataset.dose()) < 0.005).all(axis=1)
    assert 0 < quiet.sum() < len(dataset)
    assert len(trials_of(dataset)) == int((~quiet).sum())


def test_overrides_and_policies_are_not_analysed() -> None:
    dataset = rehearse(World(tenants=100, weeks=5))
    for assignment in ("override", "policy", "killed"):
        rows = dataset.rows.set_column(
            dataset.rows.column_names.index("assignment"), "assignment", [[assignment] * 500]
        )
        assert not len(trials_of(replace(dataset, rows=rows)))


def test_an_arm_is_compared_only_where_it_was_offered() -> None:
    """Arm 85 is offered to one half only, whose risk differs: comparing all rows would mislead."""
    rng = np.random.default_rng(2)
    rows = 40_000
    risky = np.arange(rows) % 2 == 0
    arm = np.where(risky & (rng.random(rows) < 0.5), 85, 100)
    happened = rng.random(rows) < np.where(risky, 0.10, 0.01)
    table = pa.table(
        {
            "arm": arm,
            "offered_85": np.where(risky, 0.5, 0.0),
            "offered_100": np.where(risky, 0.5, 1.0),
            "dose_85": np.full(rows, 0.2),
            "dose_100": np.zeros(rows),
            "assignment": ["drawn"] * rows,
            "organisation": [f"o{i}" for i in range(rows)],
            "segment": ["smb"] * rows,
            "start_hour": np.zeros(rows, dtype=np.int64),
            "outcome": np.where(happened, 3, 0),
        }
    )
    dataset = Dataset(
        rows=table, features=(), arms=(85, 100), period_days=7, as_of_us=0, kind="decisions"
    )
    found = contrasts(trials_of(dataset), 0, np.ones(rows, dtype=bool))[2]
    assert abs(found.difference) < 3.0 * found.error < 0.02


def test_errors_grow_when_rows_of_one_organisation_repeat() -> None:
    once = rehearse(World(tenants=400, weeks=6, base=BASE, organisation_share=0.0))
    rows = pa.concat_tables([once.rows] * 4)
    four = replace(once, rows=rows)
    single, repeated = trials_of(once), trials_of(four)
    before = contrasts(single, 0, np.ones(len(single), dtype=bool))[0]
    after = contrasts(repeated, 0, np.ones(len(repeated), dtype=bool))[0]
    assert after.difference == pytest.approx(before.difference)
    # Four copies hold no more information than one.
    assert after.error == pytest.approx(before.error, rel=0.1)
