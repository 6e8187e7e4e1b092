"""Testing by betting: wealth that can only grow large if the mean is above what is claimed.

Waudby-Smith and Ramdas 2024: start with 1, bet a share on every value being above the claimed
mean. While the claim holds, the wealth ever reaches 1/alpha with probability at most alpha, at any
number of looks (Ville's inequality). Exact, one-sided: made for watching harm. Values need a known
range, or (:func:`log_wealth_above`) no more than a lowest value each.
"""

from __future__ import annotations

import math

import numpy as np

from training.dataset import Floats
from training.off_policy.sequence import lagged, predictable, unit_range

#: Largest share of what could be lost on one value.
LARGEST_STAKE = 0.5
GRID = 200
#: Imagined first value where only a lowest one is known, as a share of how far it could fall.
_IMAGINED = 0.1


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


def log_wealth_above(values: Floats, reach: Floats, claimed: float = 0.0) -> Floats:
    """Running log wealth ``[…, T]`` against "the mean is at most ``claimed``".

    Parameters
    ----------
    values:
        ``[…, T]``, each at least minus its ``reach``; there need be no highest one.
    reach:
        ``[…, T]`` or one for all, above minus ``claimed``; known before the value is. Values with
        different reaches count as shares of them, and an infinite one is not bet on.

    Bets are the share that would have grown fastest on what was seen before, to second order:
    mean over mean square (aGRAPA), at most :data:`LARGEST_STAKE` of what can be lost.
    """
    shares = (values - claimed) / (reach + claimed)
    count = np.arange(2.0, shares.shape[-1] + 2.0)
    mean = np.cumsum(shares, axis=-1) / count
    square = (_IMAGINED**2 + np.cumsum(shares**2, axis=-1)) / count
    stake = np.clip(lagged(mean, 0.0) / lagged(square, _IMAGINED**2), 0.0, LARGEST_STAKE)
    return np.asarray(np.cumsum(np.log1p(stake * shares), axis=-1))


def _log_wealth(inside: Floats, claim: float) -> Floats:
    before, variance = predictable(inside)
    edge = before - claim
    stake = edge / (variance + edge**2)
    stake = np.clip(stake, 0.0, LARGEST_STAKE / max(claim, 1e-12))
    return np.cumsum(np.log1p(stake * (inside - claim)), axis=-1)
