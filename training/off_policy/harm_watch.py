"""Watching for harm, batch by batch, with a bound that may be looked at every time.

Live, few tenants are kept from what a policy wants, so that a churn among them counts heavily
against harm and is rare. Until the first of them happens, harm looks certain and its spread small:
a bound from the spread seen so far raised false alarms on more than a third of the paths without
harm (``python -m benchmarks.sequence_errors``, "few kept as comparison"). So each value comes with
how far below 0 it could have fallen, and harm is tested by betting against that
(:func:`training.off_policy.betting.log_wealth_above`), which is exact at any number of values.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from flyball.errors import InvalidInput
from training.dataset import Floats
from training.off_policy.betting import log_wealth_above
from training.off_policy.logged import LoggedBandit, check_probabilities

#: Halvings of the interval in which a floor is looked for.
_HALVINGS = 40


class Increments(NamedTuple):
    """One value per organisation and period.

    ``harm`` ``[k]`` is what happened (positive is bad); ``reach`` ``[k]`` (above 0, or infinite) is
    how far below 0 it could have fallen, as known before it happened.
    """

    harm: Floats
    reach: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HarmWatch:
    """What has been seen so far, and a one-sided bound on the mean harm per unit.

    A value; ``seen`` gives the next one. ``alpha`` is the chance of ever raising a false alarm.
    """

    alpha: float = 0.05
    harm: Floats = field(default_factory=lambda: np.zeros(0))
    reach: Floats = field(default_factory=lambda: np.zeros(0))

    def seen(self, batch: Increments) -> HarmWatch:
        """After another batch.

        Raises
        ------
        InvalidInput
            A harm is not finite, or below what its reach allows.
        """
        if not bool(np.isfinite(batch.harm).all()):
            raise InvalidInput("A harm is not finite.", field="harm")
        if not bool((batch.reach > 0.0).all() and (batch.harm >= -batch.reach * (1 + 1e-9)).all()):
            raise InvalidInput("A harm lies further below 0 than it can.", field="reach")
        return replace(
            self,
            harm=np.concatenate([self.harm, batch.harm]),
            reach=np.concatenate([self.reach, batch.reach]),
        )

    @property
    def count(self) -> int:
        """Values so far."""
        return len(self.harm)

    @property
    def mean(self) -> float:
        """Mean harm per unit so far; 0 before the first."""
        return float(self.harm.mean()) if self.count else 0.0

    def floor(self) -> float:
        """Mean harm is at least this, at 1 - ``alpha`` over all looks; -inf while too early."""
        if not self.count:
            return -math.inf
        low, high = (0.0, max(self.mean, 0.0)) if self.harmful else (self._lowest(), 0.0)
        if not self._excludes(low):
            return -math.inf
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if self._excludes(middle) else (low, middle)
        return low

    @property
    def harmful(self) -> bool:
        """Whether harm is evident: roll back."""
        return self._excludes(0.0)

    def _excludes(self, claimed: float) -> bool:
        """Whether "the mean is at most ``claimed``" was bet to ruin."""
        if not self.count:
            return False
        wealth = log_wealth_above(self.harm, self.reach, claimed)
        return float(wealth[-1]) >= math.log(1.0 / self.alpha)

    def _lowest(self) -> float:
        finite = self.reach[np.isfinite(self.reach)]
        # Claims at the very bottom leave nothing to bet against.
        return -0.999 * float(finite.min()) if len(finite) else 0.0


def organisation_increments(
    logged: LoggedBandit, policy: Floats, baseline: Floats, *, allowed: float = 0.0
) -> Increments:
    """One value per organisation ``[C]``: how much more reward ``policy`` brings than ``baseline``.

    Totals over the organisation's rows of (policy - baseline) / logged probability · reward, less
    ``allowed`` (≥ 0) per row. With churn as the reward, a mean above 0 is harm beyond what is
    allowed. Pass one period at a time, so that each value is drawn afresh given the past.

    Raises
    ------
    InvalidInput
        The log does not say within which ``bounds`` its rewards lie.
    """
    check_probabilities("policy", policy, len(logged))
    check_probabilities("baseline", baseline, len(logged))
    if logged.bounds is None:
        raise InvalidInput("Harm can only be watched in rewards with known bounds.", field="bounds")
    weights = np.divide(
        policy - baseline,
        logged.offered,
        out=np.zeros_like(logged.offered),
        where=logged.offered > 0.0,
    )
    possible = np.stack([weights * bound for bound in logged.bounds])
    reach = np.maximum(0.0, -possible.min(axis=(0, 2))) + allowed
    _, codes = np.unique(logged.cluster, return_inverse=True)
    harm = logged.assigned(weights) * logged.reward - allowed
    totals = np.bincount(codes, weights=harm), np.bincount(codes, weights=reach)
    return Increments(
        harm=np.asarray(totals[0], dtype=np.float64),
        # Where no arm can count against harm there is nothing to compare with: no bet.
        reach=np.where(totals[1] > 0.0, totals[1], np.inf),
    )
