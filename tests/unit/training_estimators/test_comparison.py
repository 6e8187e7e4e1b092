"""Every estimator keeps to one interface, and held-out figures tell the good from the noisy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from training.estimators.comparison import compare_estimators, default_estimators
from training.estimators.doubly_robust import DoublyRobustLearner
from training.estimators.estimator import Effects, Estimator
from training.estimators.interactions import InteractionLearner
from training.estimators.monotone_trees import MonotoneTreeLearner
from training.estimators.overlap import arm_overlap
from training.estimators.policy import greedy
from training.estimators.redraw import redrawn_arms
from training.estimators.table import EffectTable
from training.off_policy.overlap import Refused
from training.off_policy.value import Estimate

Make = Callable[..., EffectTable]


@pytest.mark.parametrize("estimator", default_estimators(), ids=lambda each: each.name)
def test_every_estimator_finds_a_strong_effect_and_keeps_the_interface(
    make: Make, estimator: Estimator
) -> None:
    table = make(11, tenants=500, upgrade=0.4)
    effects = estimator.fit(table).effects(table.subjects)
    assert effects.mean.shape == effects.sd.shape == (len(table), 5, 2)
    assert effects.trust.shape == (len(table), 5)
    assert not effects.mean[:, table.neutral].any()
    assert not effects.sd[:, table.neutral].any()
    assert not effects.trust[:, table.neutral].any()
    assert np.isfinite(effects.mean).all()
    offered = table.offered[:, 0] > 0.0
    true = 0.4 * table.subjects.dose[offered, 0].mean()
    # Trees shrink towards nothing on purpose.
    assert 0.3 * true < effects.mean[offered, 0, 0].mean() < 1.5 * true


@pytest.mark.parametrize(
    "estimator", [InteractionLearner(), MonotoneTreeLearner(), DoublyRobustLearner()]
)
def test_too_little_evidence_is_no_effect(make: Make, estimator: Estimator) -> None:
    table = make(1, tenants=20, rate=0.02)
    fitted = estimator.fit(table)
    assert "insufficient evidence" in fitted.summary
    assert not fitted.effects(table.subjects).trust.any()


def test_trees_say_when_churn_falls_with_dose(make: Make) -> None:
    falling = MonotoneTreeLearner().fit(make(4, tenants=400, churn=-0.4))
    assert falling.evidence["p_against_monotone_churn"] < 0.01
    assert "contradict" in falling.summary
    rising = MonotoneTreeLearner().fit(make(4, tenants=400, churn=0.3))
    assert rising.evidence["p_against_monotone_churn"] > 0.5


def test_comparison_rewards_real_effects_and_moves_nobody_without_any(make: Make) -> None:
    worth = np.asarray([1.0, -1.0])
    learners = (default_estimators()[0], DoublyRobustLearner())
    real = compare_estimators(make(12, tenants=600, upgrade=0.5), worth, learners)
    assert real[0].gain[0].mean > 2.0 * real[0].gain[0].error
    assert real[0].moved > 0.5
    assert isinstance(real[0].value, Estimate)
    assert real[0].value.low > 0.0
    null = compare_estimators(make(13, tenants=300), worth, learners)
    assert null[0].moved == 0.0
    assert isinstance(null[0].value, Refused)
    assert null[0].gain[0].mean == 0.0
    # Without a test, noise moves tenants.
    assert null[1].moved > 0.2


def test_redraws_follow_the_logged_propensities(make: Make) -> None:
    table = make(2, tenants=40)
    arms = redrawn_arms(table, np.random.Generator(np.random.Philox(1)), 2000)
    assert (np.take_along_axis(table.offered, arms, axis=1) > 0.0).all()
    share = np.stack([(arms == a).mean(axis=1) for a in range(5)], axis=1)
    assert np.abs(share - table.offered).max() < 0.06
    together = table.draw == table.draw[0]
    same = table.offered[together] == table.offered[0]
    if same.all():
        assert (arms[together] == arms[0]).all()


def test_overlap_counts_what_each_arm_was_offered(make: Make) -> None:
    table = make(2, tenants=80)
    found = {each.arm: each for each in arm_overlap(table)}
    assert found["70"].offered == pytest.approx(0.75)
    assert found["100"].offered == 1.0
    assert found["100"].least == pytest.approx(0.2)
    assert sum(each.drawn for each in found.values()) == len(table)


def test_the_greedy_policy_takes_only_offered_and_trusted_arms() -> None:
    mean = np.asarray([[[0.3], [0.2], [0.0]]] * 4)
    effects = Effects(
        mean=mean, sd=np.full((4, 3, 1), 0.1), trust=np.asarray([[1, 1, 0]] * 3 + [[0, 1, 0]])
    )
    offered = np.asarray([[0.5, 0.25, 0.25], [0.0, 0.5, 0.5], [0.0, 0.0, 1.0], [0.4, 0.3, 0.3]])
    policy = greedy(effects, offered, np.asarray([1.0]), 2)
    assert policy.argmax(axis=1).tolist() == [0, 1, 2, 1]
    assert greedy(effects, offered, np.asarray([-1.0]), 2).argmax(axis=1).tolist() == [2] * 4
