"""Where Switch-DR switches: a rule that looks at weights only, never at rewards.

The threshold minimises an upper bound of the mean squared error for rewards within a known range
(the rule of Wang, Agarwal and Dudík 2017, with worst-case variance and bias): variance at most
range²/4 · mean Σ_a policy²/logged over kept arms, divided by n; bias at most range · policy's
probability on switched arms. The range cancels. Choosing it without rewards leaves the interval
honest.
"""

from __future__ import annotations

import numpy as np

from training.dataset import Bools, Floats
from training.off_policy.logged import LoggedBandit

CANDIDATES = 24


def switch_threshold(logged: LoggedBandit, policy: Floats) -> float:
    """The weight above which the model alone speaks; infinite if nothing should be switched."""
    possible = (logged.offered > 0.0) & (policy > 0.0)
    ratio = np.divide(policy, logged.offered, out=np.zeros_like(policy), where=possible)
    heights = ratio[possible]
    if heights.size == 0:
        return np.inf
    grid = np.unique(np.quantile(heights, np.linspace(0.0, 1.0, CANDIDATES)))
    bounds = [_squared_error_bound(policy, ratio, possible, float(top)) for top in grid]
    best = float(grid[int(np.argmin(bounds))])
    return np.inf if best >= float(grid[-1]) else best


def _squared_error_bound(policy: Floats, ratio: Floats, possible: Bools, top: float) -> float:
    rows = len(policy)
    kept = possible & (ratio <= top)
    variance = 0.25 * float((policy * ratio * kept).sum()) / rows**2
    bias = float((policy * (possible & (ratio > top))).sum()) / rows
    return variance + bias * bias
