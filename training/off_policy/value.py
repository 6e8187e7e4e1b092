"""The value of one policy on logged rows: an estimate with its interval, or a refusal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from training.dataset import Floats
from training.off_policy.estimator import Estimator, Ratio, switched_share, terms
from training.off_policy.interval import (
    ClusterTotals,
    Interval,
    IntervalKind,
    bootstrap_interval,
    cluster_totals,
    t_interval,
)
from training.off_policy.logged import LoggedBandit, check_probabilities
from training.off_policy.overlap import Overlap, OverlapRule, Refused, kish, overlap
from training.off_policy.switch import switch_threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueSettings:
    """How values are estimated.

    ``level``: of intervals and one-sided bounds, 0.95. ``draws`` and ``seed``: of the bootstrap.
    ``threshold``: Switch-DR's largest corrected weight; None takes ``switch_threshold``'s.
    """

    estimator: Estimator = Estimator.SNIPS
    interval: IntervalKind = IntervalKind.T
    level: float = 0.95
    draws: int = 999
    seed: int = 0
    threshold: float | None = None
    rule: OverlapRule = field(default_factory=OverlapRule)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A value (or a difference of two) per row, in the reward's unit.

    ``error`` is the standard error clustered by organisation; ``floor`` and ``ceiling`` are
    one-sided bounds at ``level``. ``model_share`` is the policy's probability on arms for which the
    outcome model alone speaks: 0 for the weighted estimators, 1 for the direct method. Where it is
    above 0 the interval knows nothing of the model's error there, and the estimate must not gate.
    """

    estimator: Estimator
    interval: IntervalKind
    value: float
    error: float
    low: float
    high: float
    floor: float
    ceiling: float
    level: float
    overlap: Overlap
    model_share: float = 0.0
    threshold: float | None = None

    def figures(self) -> dict[str, float]:
        """Numbers by name, for a run's metrics."""
        names = ("value", "error", "low", "high", "floor", "ceiling", "model_share")
        return {name: float(getattr(self, name)) for name in names} | self.overlap.figures()


def policy_value(
    logged: LoggedBandit, policy: Floats, settings: ValueSettings | None = None
) -> Estimate | Refused:
    """What ``policy`` ``[n, A]`` would have earned per row, or why the log cannot say.

    Raises
    ------
    InvalidInput
        ``policy`` is not a table of probabilities, or the estimator's predictions are missing.
    """
    chosen = settings or ValueSettings()
    check_probabilities("policy", policy, len(logged))
    threshold = threshold_for(logged, policy, chosen)
    ratios = terms(logged, policy, chosen.estimator, threshold=threshold)
    share = model_share(logged, policy, chosen.estimator, threshold)
    found = overlap(logged, policy)
    reason = chosen.rule.objection(found)
    if reason and chosen.estimator.gates:
        return Refused(reason, found)
    return estimated(logged, ratios, found, chosen, share=share, threshold=threshold)


def estimated(
    logged: LoggedBandit,
    ratios: Sequence[Ratio],
    found: Overlap,
    settings: ValueSettings,
    *,
    share: float,
    threshold: float,
) -> Estimate:
    """The estimate of ``ratios`` on ``logged``, whatever its overlap."""
    totals = cluster_totals(ratios, logged.cluster)
    edges = _interval(totals, logged, settings)
    return Estimate(
        estimator=settings.estimator,
        interval=settings.interval,
        value=totals.value(),
        error=totals.error(),
        low=edges.low,
        high=edges.high,
        floor=edges.floor,
        ceiling=edges.ceiling,
        level=settings.level,
        overlap=found,
        model_share=share,
        threshold=threshold if np.isfinite(threshold) else None,
    )


def _interval(totals: ClusterTotals, logged: LoggedBandit, settings: ValueSettings) -> Interval:
    if settings.interval is IntervalKind.BOOTSTRAP:
        return bootstrap_interval(totals, settings.level, draws=settings.draws, seed=settings.seed)
    return t_interval(totals, degrees_of_freedom(logged), settings.level)


def degrees_of_freedom(logged: LoggedBandit) -> float:
    """Kish's number of organisations by rows, less one: a few large ones decide the error."""
    return kish(np.bincount(logged.cluster).astype(np.float64)) - 1.0


def threshold_for(logged: LoggedBandit, policy: Floats, settings: ValueSettings) -> float:
    """Switch-DR's threshold for this policy; infinite for the other estimators."""
    if settings.estimator is not Estimator.SWITCH_DR:
        return np.inf
    if settings.threshold is not None:
        return settings.threshold
    return switch_threshold(logged, policy)


def model_share(
    logged: LoggedBandit, policy: Floats, estimator: Estimator, threshold: float
) -> float:
    """The policy's probability on arms for which the outcome model alone speaks."""
    if estimator is Estimator.DIRECT:
        return 1.0
    if estimator is Estimator.SWITCH_DR:
        return switched_share(logged, policy, threshold)
    return 0.0
