"""Estimators side by side, on organisations that none of them saw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from training.clustered import ClusteredMean, clustered_mean
from training.dataset import Floats
from training.estimators.arm_means import ArmMeanLearner
from training.estimators.baseline import cluster_folds, cross_fitted
from training.estimators.dose_learner import DoseLearner
from training.estimators.doubly_robust import DoublyRobustLearner
from training.estimators.estimator import Effects, Estimator
from training.estimators.interactions import InteractionLearner
from training.estimators.monotone_trees import MonotoneTreeLearner
from training.estimators.policy import always, greedy
from training.estimators.table import EffectTable
from training.off_policy.comparison import compare
from training.off_policy.estimator import Estimator as ValueEstimator
from training.off_policy.logged import LoggedBandit
from training.off_policy.overlap import Refused
from training.off_policy.value import Estimate, ValueSettings

#: What an upgrade, a downgrade and a churn are worth beside each other, in a tenant's revenue.
#: For comparing estimators only; decisions are priced by ``economics.json``.
TENANT_WORTH = (0.3, -0.3, -1.0)
#: One fold in this many judges.
FOLDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One estimator's figures on held-out clusters.

    ``gain`` is, per outcome, how much less squared error its effects leave than none at all (the
    R-loss of no effect minus its own, per row). ``moved`` is the share of rows that its policy
    takes away from the neutral arm, ``value`` that policy's DR value above the neutral arm's.
    """

    name: str
    summary: str
    gain: tuple[ClusteredMean, ...]
    moved: float
    value: Estimate | Refused
    seconds: float


def default_estimators(seed: int = 7) -> tuple[Estimator, ...]:
    """The default and everything to compare it with."""
    return (
        DoseLearner(seed=seed),
        ArmMeanLearner(seed=seed),
        InteractionLearner(seed=seed),
        MonotoneTreeLearner(seed=seed),
        DoublyRobustLearner(seed=seed),
    )


def compare_estimators(
    table: EffectTable,
    worth: Floats,
    estimators: Sequence[Estimator] | None = None,
    *,
    seed: int = 7,
    notice: Callable[[str], None] = lambda _: None,
) -> tuple[Row, ...]:
    """Fit each estimator on two thirds of the clusters and judge it on the others.

    ``worth`` [K] or [n, K] prices outcomes for the policy value.
    """
    import time

    judging = cluster_folds(table.cluster, FOLDS, seed + 1) == 0
    learn, judge = table.take(~judging), table.take(judging)
    price = np.broadcast_to(worth, table.outcomes.shape)[judging]
    expected = cross_fitted(judge, seed=seed)
    rows = []
    for estimator in estimators or default_estimators(seed):
        notice(f"comparing: {estimator.name}")
        begun = time.perf_counter()
        fitted = estimator.fit(learn)
        effects = fitted.effects(judge.subjects)
        policy = greedy(effects, judge.offered, price, judge.neutral)
        rows.append(
            Row(
                name=estimator.name,
                summary=fitted.summary,
                gain=r_gain(judge, effects, expected),
                moved=float(1.0 - policy[:, judge.neutral].mean()),
                value=policy_gain(judge, policy, price, expected),
                seconds=time.perf_counter() - begun,
            )
        )
    return tuple(rows)


def r_gain(table: EffectTable, effects: Effects, expected: Floats) -> tuple[ClusteredMean, ...]:
    """R-loss of no effect minus that of ``effects``, per outcome, with clustered errors."""
    share = table.offered / table.offered.sum(axis=1, keepdims=True)
    drawn = effects.mean[np.arange(len(table)), table.arm]
    moved = drawn - np.einsum("ia,iak->ik", share, effects.mean)
    left = table.outcomes - expected
    saved = left**2 - (left - moved) ** 2
    return tuple(clustered_mean(column, table.cluster) for column in saved.T)


def policy_gain(
    table: EffectTable, policy: Floats, worth: Floats, expected: Floats
) -> Estimate | Refused:
    """DR value of ``policy`` above always playing the neutral arm, or why it is refused."""
    price = np.broadcast_to(worth, table.outcomes.shape)
    model = (expected * price).sum(axis=1)
    logged = LoggedBandit(
        reward=(table.outcomes * price).sum(axis=1),
        arm=table.arm,
        offered=table.offered / table.offered.sum(axis=1, keepdims=True),
        cluster=table.cluster,
        # Effects cancel from a model that is the same for every arm: only noise is taken away.
        predicted=np.repeat(model[:, None], len(table.arms), axis=1),
        event=np.asarray((table.outcomes[:, table.binary] > 0.5).any(axis=1)),
    )
    settings = ValueSettings(estimator=ValueEstimator.DR)
    found = compare(logged, policy, always(table, table.neutral), settings)
    if found.same:
        return Refused("the policy is the neutral arm everywhere")
    return found.difference
