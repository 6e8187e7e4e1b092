"""A policy against a baseline on the same rows: paired, so that what both share cancels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.dataset import Floats
from training.off_policy.estimator import terms
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
    """``difference`` is policy minus baseline. ``moved``: mean total variation between them."""

    policy: Estimate | Refused
    baseline: Estimate | Refused
    difference: Estimate | Refused
    moved: float

    @property
    def same(self) -> bool:
        """Whether the policy is the baseline on every row."""
        return self.moved <= SAME


def compare(
    logged: LoggedBandit, policy: Floats, baseline: Floats, settings: ValueSettings | None = None
) -> Comparison:
    """Values of ``policy`` and ``baseline`` ``[n, A]`` and their paired difference.

    The difference is refused where overlap on the rows that the two treat differently is bad, and,
    for the self-normalised estimators, where either policy alone is refused.
    """
    chosen = settings or ValueSettings()
    ours, theirs = policy_value(logged, policy, chosen), policy_value(logged, baseline, chosen)
    return Comparison(
        policy=ours,
        baseline=theirs,
        difference=_difference(logged, policy, baseline, chosen, (ours, theirs)),
        moved=float(np.abs(policy - baseline).sum()) / (2.0 * len(logged)),
    )


def _difference(
    logged: LoggedBandit,
    policy: Floats,
    baseline: Floats,
    settings: ValueSettings,
    alone: tuple[Estimate | Refused, Estimate | Refused],
) -> Estimate | Refused:
    check_probabilities("baseline", baseline, len(logged))
    found = overlap(logged, policy, baseline)
    reason = settings.rule.objection(found)
    if settings.estimator.normalised:
        refused = [each.reason for each in alone if isinstance(each, Refused)]
        reason = reason or "; ".join(refused)
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
