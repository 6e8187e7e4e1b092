"""The whole analysis of a plain table: overlap, arms, effects, policies, and a verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from training.analysis.plain_table import PlainTable
from training.dataset import Floats
from training.estimators.baseline import cluster_folds, cross_fitted
from training.estimators.dose_learner import DoseLearner
from training.estimators.estimator import Effects, FittedEffects
from training.estimators.overlap import ArmOverlap, arm_overlap
from training.estimators.policy import always, greedy
from training.estimators.table import EffectTable
from training.off_policy.comparison import Comparison, compare
from training.off_policy.estimator import Estimator as ValueEstimator
from training.off_policy.logged import LoggedBandit
from training.off_policy.overlap import Refused
from training.off_policy.value import Estimate, ValueSettings

MONEY = "money"
Answer = Estimate | Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRow:
    """One policy: where it moves rows to, its value, and that of static taken away from it."""

    name: str
    moved: float
    snips: Comparison
    dr: Comparison


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """Everything that the report shows.

    ``arms`` maps outcome → arm → effect against the neutral arm (SNIPS and DR, on rows offered
    both). ``fitted`` is the R-learner on all rows; ``trusted`` the share of rows at each level of
    trust. ``policies`` are valued on clusters that they were not learned from. ``verdict`` is one
    sentence.
    """

    table: EffectTable
    dropped: Mapping[str, int]
    overlap: tuple[ArmOverlap, ...]
    arms: Mapping[str, Mapping[str, tuple[Answer, Answer]]]
    fitted: FittedEffects
    trusted: Mapping[int, float]
    policies: tuple[PolicyRow, ...]
    verdict: str


def analyse(
    plain: PlainTable, *, seed: int = 7, notice: Callable[[str], None] = lambda _: None
) -> Analysis:
    """Run every part on ``plain``; too little evidence is a result."""
    table, worth = _priced(plain)
    notice("fitting expectations")
    expected = cross_fitted(table, seed=seed)
    notice("comparing arms")
    arms = {
        name: _arm_effects(table, table.outcomes[:, k], expected[:, k])
        for k, name in enumerate(table.names)
    }
    notice("learning effects")
    fitted = DoseLearner(seed=seed).fit(table)
    everywhere = fitted.effects(table.subjects)
    level = everywhere.trust.max(axis=1)
    notice("valuing policies")
    policies = _policies(table, worth, expected, seed)
    return Analysis(
        table=table,
        dropped=plain.dropped,
        overlap=arm_overlap(table),
        arms=arms,
        fitted=fitted,
        trusted={trust: float((level == trust).mean()) for trust in range(4)},
        policies=policies,
        verdict=_verdict(fitted, policies),
    )


def _priced(plain: PlainTable) -> tuple[EffectTable, Floats]:
    """Money becomes the last outcome, and is what policies earn unless outcomes have a worth."""
    table, worth = plain.table, np.array(plain.worth)
    if plain.money is None:
        return table, worth
    table = replace(
        table,
        outcomes=np.column_stack([table.outcomes, plain.money]),
        names=(*table.names, MONEY),
    )
    own = 0.0 if worth.any() else 1.0
    return table, np.column_stack([worth, np.full(len(table), own)])


def _arm_effects(
    table: EffectTable, reward: Floats, expected: Floats
) -> dict[str, tuple[Answer, Answer]]:
    """Each arm against the neutral one, over the rows that were offered both."""
    found: dict[str, tuple[Answer, Answer]] = {}
    for arm, label in enumerate(table.arms):
        both = (table.offered[:, arm] > 0.0) & (table.offered[:, table.neutral] > 0.0)
        if arm == table.neutral or not both.any():
            continue
        logged = _logged(table, reward, expected).take(both)
        pair = logged.constant(arm), logged.constant(table.neutral)
        found[label] = (
            compare(logged, *pair, _settings(ValueEstimator.SNIPS)).difference,
            compare(logged, *pair, _settings(ValueEstimator.DR)).difference,
        )
    return found


def _policies(
    table: EffectTable, worth: Floats, expected: Floats, seed: int
) -> tuple[PolicyRow, ...]:
    """Static, every constant arm, and learned ones, each row's learned from other clusters."""
    reward = (table.outcomes * worth).sum(axis=1)
    if not worth.any():
        return ()
    logged = _logged(table, reward, (expected * worth).sum(axis=1))
    static = always(table, table.neutral)
    policies = {f"always {label}": always(table, a) for a, label in enumerate(table.arms)}
    policies["static"] = policies.pop(f"always {table.arms[table.neutral]}")
    policies["value (learned)"] = _learned(table, worth, seed)
    return tuple(
        PolicyRow(
            name=name,
            moved=float(1.0 - policy[:, table.neutral].mean()),
            snips=compare(logged, policy, static, _settings(ValueEstimator.SNIPS)),
            dr=compare(logged, policy, static, _settings(ValueEstimator.DR)),
        )
        for name, policy in policies.items()
    )


def _learned(table: EffectTable, worth: Floats, seed: int) -> Floats:
    fold = cluster_folds(table.cluster, 2, seed)
    policy = np.zeros(table.offered.shape)
    for part in (0, 1):
        fitted = DoseLearner(seed=seed).fit(table.take(fold != part))
        rows = fold == part
        effects: Effects = fitted.effects(table.subjects.take(rows))
        policy[rows] = greedy(effects, table.offered[rows], worth[rows], table.neutral)
    return policy


def _logged(table: EffectTable, reward: Floats, model: Floats) -> LoggedBandit:
    return LoggedBandit(
        reward=reward,
        arm=table.arm,
        offered=table.offered,
        cluster=table.cluster,
        predicted=np.repeat(model[:, None], len(table.arms), axis=1),
    )


def _settings(estimator: ValueEstimator) -> ValueSettings:
    return ValueSettings(estimator=estimator)


def _verdict(fitted: FittedEffects, policies: tuple[PolicyRow, ...]) -> str:
    """What may be done with this: stay static, take one arm, or treat groups differently."""
    learned = next((row for row in policies if row.name == "value (learned)"), None)
    if learned is None:
        return f"No worth and no money were given, so no policy is valued. {fitted.summary}."
    difference = learned.dr.difference
    if learned.dr.same:
        return "Nothing was found that justifies leaving the neutral arm: stay static."
    if isinstance(difference, Refused):
        return f"The learned policy cannot be valued ({difference.reason}): stay static."
    if difference.low > 0.0:
        return f"The learned policy is better than static by {_span(difference)} a row."
    if difference.high < 0.0:
        return f"The learned policy is worse than static by {_span(difference)} a row: stay static."
    return (
        f"The learned policy is not distinguishable from static ({_span(difference)} a row): "
        "stay static."
    )


def _span(estimate: Estimate) -> str:
    return f"{estimate.value:.4g} [{estimate.low:.4g}, {estimate.high:.4g}]"
