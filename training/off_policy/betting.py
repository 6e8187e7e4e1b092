"""Testing by betting: wealth that can only grow large if the mean is above what is claimed.

Waudby-Smith and Ramdas 2024: start with 1, bet a share on every value being above the claimed
mean. While the claim holds, the wealth ever reaches 1/alpha with probability at most alpha, at any
number of looks (Ville's inequality). Exact for bounded values, one-sided: made for watching harm.
"""

from __future__ import annotations

import math

import numpy as np

from training.dataset import Floats
from training.off_policy.sequence import predictable, unit_range

#: Largest share of what could be lost on one value.
LARGEST_STAKE = 0.5
GRID = 200


def log_wealth(values: Floats, claimed: float, *, lowest: float, highest: float) -> Floats:
    """Running log wealth ``[…, T]`` against "the mean is at most ``claimed``".

    Bets follow the approximate growth rate rule (aGRAPA), from values seen before only.

    Raises
    ------
    InvalidInput
        A value lies outside ``lowest`` … ``highest``.
    """
    inside = unit_range(values, lowest, highest)
    return _log_wealth(inside, (claimed - lowest) / (highest - lowest))


def betting_floor(
    values: Floats, alpha: float = 0.05, *, lowest: float, highest: float, grid: int = GRID
) -> float:
    """Lower bound of the mean of ``values`` ``[T]`` at 1 - ``alpha``, at any time.

    The smallest of ``grid`` claims that was never bet to ruin; a claim never revives.
    """
    inside = unit_range(values, lowest, highest)
    claims = np.linspace(0.0, 1.0, grid + 1)[1:]
    limit = math.log(1.0 / alpha)
    floor = 0.0
    for claim in claims:
        if float(_log_wealth(inside, float(claim)).max()) < limit:
            break
        floor = float(claim)
    return lowest + (highest - lowest) * floor


def _log_wealth(inside: Floats, claim: float) -> Floats:
    before, variance = predictable(inside)
    edge = before - claim
    stake = edge / (variance + edge**2)
    stake = np.clip(stake, 0.0, LARGEST_STAKE / max(claim, 1e-12))
    return np.cumsum(np.log1p(stake * (inside - claim)), axis=-1)
