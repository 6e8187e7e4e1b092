"""Watching for harm, batch by batch, with a bound that may be looked at every time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from flyball.errors import InvalidInput
from training.dataset import Floats
from training.off_policy.logged import LoggedBandit, check_probabilities
from training.off_policy.sequence import START, TUNED_FOR, mixture_radius


@dataclass(frozen=True, slots=True, kw_only=True)
class HarmWatch:
    """What has been seen so far, and a one-sided bound on the mean harm per unit.

    A value; ``seen`` gives the next one. ``alpha`` is the chance of ever raising a false alarm.
    ``state`` and ``restored`` carry it from one period to the next as plain numbers.
    """

    count: int = 0
    total: float = 0.0
    squares: float = 0.0
    alpha: float = 0.05
    start: int = START
    tuned_for: float = TUNED_FOR

    def seen(self, harm: Floats) -> HarmWatch:
        """After another batch: one harm per organisation and period ``[k]`` (positive is bad)."""
        if not bool(np.isfinite(harm).all()):
            raise InvalidInput("A harm is not finite.", field="harm")
        return replace(
            self,
            count=self.count + len(harm),
            total=self.total + float(harm.sum()),
            squares=self.squares + float((harm**2).sum()),
        )

    @property
    def mean(self) -> float:
        """Mean harm per unit so far; 0 before the first."""
        return self.total / self.count if self.count else 0.0

    def floor(self) -> float:
        """Mean harm is at least this, at 1 - ``alpha`` over all looks; -inf while too early."""
        if self.count < self.start:
            return -math.inf
        spread = math.sqrt(max(0.0, self.squares / self.count - self.mean**2))
        if spread <= 0.0:
            return -math.inf
        count = np.asarray([float(self.count)])
        radius = mixture_radius(count, self.alpha, sides=1, tuned_for=self.tuned_for)
        return self.mean - spread * float(radius[0])

    @property
    def harmful(self) -> bool:
        """Whether harm is evident: roll back."""
        return self.floor() > 0.0

    def state(self) -> dict[str, float]:
        """JSON-ready; see ``restored``."""
        return {"count": float(self.count), "total": self.total, "squares": self.squares}

    def restored(self, state: Mapping[str, float]) -> HarmWatch:
        """This watch's settings with the counts of ``state``."""
        return replace(
            self,
            count=int(state["count"]),
            total=float(state["total"]),
            squares=float(state["squares"]),
        )


def organisation_increments(
    logged: LoggedBandit, policy: Floats, baseline: Floats, *, allowed: float = 0.0
) -> Floats:
    """One value per organisation ``[C]``: how much more reward ``policy`` brings than ``baseline``.

    Totals over the organisation's rows of (policy - baseline) / logged probability · reward, less
    ``allowed`` per row. With churn as the reward, a mean above 0 is harm beyond what is allowed.
    Pass one period at a time, so that each value is drawn afresh given the past.
    """
    check_probabilities("policy", policy, len(logged))
    check_probabilities("baseline", baseline, len(logged))
    weight = logged.assigned(policy - baseline) / logged.propensity
    _, codes = np.unique(logged.cluster, return_inverse=True)
    totals = np.bincount(codes, weights=weight * logged.reward - allowed)
    return np.asarray(totals, dtype=np.float64)
