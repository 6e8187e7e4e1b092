"""A policy against a baseline on the same rows: paired, so that what both share cancels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.dataset import Floats
from training.off_policy.estimator import terms
from training.off_policy.interval import cluster_totals
from training.off_policy.logged import LoggedBandit, check_probabilities
from training.off_policy.overlap import Refused, overlap
from training.off_policy.value import (
    Estimate,
    ValueSettings,
    estimated,
    model_share,
    policy_value,
    threshold_for,
)

#: Probabilities that differ by less than this are the same policy.
SAME = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """``difference`` is policy minus baseline, on the same rows.

    ``moved``: mean total variation between the two. ``scale``: the baseline's point value, also
    where it is refused an interval; only to express a difference as a share of it.
    """

    policy: Estimate | Refused
    baseline: Estimate | Refused
    difference: Estimate | Refused
    moved: float
    scale: float

    @property
    def same(self) -> bool:
        """Whether the policy is the baseline on every row."""
        return self.moved <= SAME


def compare(
    logged: LoggedBandit, policy: Floats, baseline: Floats, settings: ValueSettings | None = None
) -> Comparison:
    """Values of ``policy`` and ``baseline`` ``[n, A]`` and their paired difference.

    The difference is refused where overlap on the rows that the two treat differently is bad, and,
    for the self-normalised estimators, where the weights of either policy alone are.
    """
    chosen = settings or ValueSettings()
    found = _difference(logged, policy, baseline, chosen)
    threshold = threshold_for(logged, baseline, chosen)
    alone = terms(logged, baseline, chosen.estimator, threshold=threshold)
    return Comparison(
        policy=policy_value(logged, policy, chosen),
        baseline=policy_value(logged, baseline, chosen),
        difference=found,
        moved=float(np.abs(policy - baseline).sum()) / (2.0 * len(logged)),
        scale=cluster_totals(alone, logged.cluster).value(),
    )


def _difference(
    logged: LoggedBandit, policy: Floats, baseline: Floats, settings: ValueSettings
) -> Estimate | Refused:
    check_probabilities("policy", policy, len(logged))
    check_probabilities("baseline", baseline, len(logged))
    found = overlap(logged, policy, baseline)
    reason = settings.rule.objection(found)
    if settings.estimator.normalised and not reason:
        weights = settings.rule.of_weights()
        alone = (weights.objection(overlap(logged, each)) for each in (policy, baseline))
        reason = "; ".join(said for said in alone if said)
    if reason and settings.estimator.gates:
        return Refused(reason, found)
    top = threshold_for(logged, policy, settings)
    under = threshold_for(logged, baseline, settings)
    ratios = (
        *terms(logged, policy, settings.estimator, threshold=top),
        *terms(logged, baseline, settings.estimator, threshold=under, sign=-1.0),
    )
    share = max(
        model_share(logged, policy, settings.estimator, top),
        model_share(logged, baseline, settings.estimator, under),
    )
    return estimated(logged, ratios, found, settings, share=share, threshold=top)


def compare_strata(
    logged: LoggedBandit, policy: Floats, baseline: Floats, settings: ValueSettings | None = None
) -> dict[int, Comparison]:
    """The same comparison within each stratum (a segment, or drawn and holdout), by its code."""
    if logged.stratum is None:
        return {}
    return {
        int(code): compare(
            logged.take(logged.stratum == code),
            policy[logged.stratum == code],
            baseline[logged.stratum == code],
            settings,
        )
        for code in np.unique(logged.stratum)
    }
