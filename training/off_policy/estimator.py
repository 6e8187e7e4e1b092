"""Estimators of a policy's value, each as a sum of ratios of column totals.

In that one form, point values, clustered errors and the clustered bootstrap are the same few lines
for all of them, and a paired difference is simply the terms of both policies.

- ``ips``: mean of w·r (Horvitz and Thompson 1952), w = policy / logged probability.
- ``snips``: Σw·r / Σw (Swaminathan and Joachims 2015).
- ``dr``: model value + w·(r - model), mean (Dudík, Langford and Li 2011).
- ``sndr``: the same, its correction divided by Σw.
- ``switch_dr``: DR whose correction leaves out arms with w above a threshold, so that only the
  model speaks there (Wang, Agarwal and Dudík 2017).
- ``direct``: the model alone. For reading beside the others; it never gates.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from flyball.errors import InvalidInput
from training.dataset import Bools, Floats
from training.off_policy.logged import LoggedBandit


class Estimator(StrEnum):
    """Which estimator; see the module."""

    IPS = "ips"
    SNIPS = "snips"
    DR = "dr"
    SNDR = "sndr"
    SWITCH_DR = "switch_dr"
    DIRECT = "direct"

    @property
    def needs_model(self) -> bool:
        """Whether it reads ``LoggedBandit.predicted``."""
        return self not in (Estimator.IPS, Estimator.SNIPS)

    @property
    def gates(self) -> bool:
        """Whether a gate may ever read it: everything but the direct method."""
        return self is not Estimator.DIRECT

    @property
    def normalised(self) -> bool:
        """Whether it divides by the total weight of each policy."""
        return self in (Estimator.SNIPS, Estimator.SNDR)


@dataclass(frozen=True, slots=True)
class Ratio:
    """``sign · Σ numerator / Σ denominator`` over rows ``[n]``."""

    numerator: Floats
    denominator: Floats
    sign: float = 1.0


def terms(
    logged: LoggedBandit,
    policy: Floats,
    estimator: Estimator,
    *,
    threshold: float = np.inf,
    sign: float = 1.0,
) -> tuple[Ratio, ...]:
    """The ratios that add up to the value of ``policy`` ``[n, A]``.

    ``threshold``: largest weight that Switch-DR corrects; the others ignore it.

    Raises
    ------
    InvalidInput
        The estimator needs predictions and the rows have none.
    """
    weight = logged.assigned(policy) / logged.propensity
    ones = np.ones(len(logged))
    if not estimator.needs_model:
        below = weight if estimator is Estimator.SNIPS else ones
        return (Ratio(weight * logged.reward, below, sign),)
    if logged.predicted is None:
        raise InvalidInput(
            f"{estimator} needs an outcome model's predictions; give them or use snips.",
            field="predicted",
        )
    model = (policy * logged.predicted).sum(axis=1)
    if estimator is Estimator.DIRECT:
        return (Ratio(model, ones, sign),)
    if estimator is Estimator.SWITCH_DR:
        weight = np.where(weight <= threshold, weight, 0.0)
    correction = weight * (logged.reward - logged.assigned(logged.predicted))
    if estimator is Estimator.SNDR:
        return (Ratio(model, ones, sign), Ratio(correction, weight, sign))
    return (Ratio(model + correction, ones, sign),)


def switched(logged: LoggedBandit, policy: Floats, threshold: float) -> Bools:
    """Arms ``[n, A]`` of the policy that Switch-DR leaves to the model.

    Arms that were never possible are among them: no weight can speak for them.
    """
    ratio = np.divide(
        policy, logged.offered, out=np.full(policy.shape, np.inf), where=logged.offered > 0.0
    )
    never = np.isinf(ratio)
    return np.asarray((policy > 0.0) & (never | (ratio > threshold)))


def switched_share(logged: LoggedBandit, policy: Floats, threshold: float) -> float:
    """The policy's mean probability on arms that are left to the model, 0 … 1."""
    return float((policy * switched(logged, policy, threshold)).sum()) / len(logged)
