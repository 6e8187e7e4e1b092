"""Confidence sequences: bounds that hold at every look at once, however often one looks.

Both work along the last axis, so that many paths go in one call, and both need one value per
independent unit: pass one per organisation and period (see ``organisation_increments``), not one
per row.

- ``asymptotic_sequence``: a normal mixture (Howard, Ramdas, McAuliffe and Sekhon 2021; the
  asymptotic form of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas 2024). For any values with a
  variance; holds approximately, from ``start`` values on.
- ``bounded_sequence``: predictable plug-in empirical Bernstein (Waudby-Smith and Ramdas 2024,
  theorem 2). For values in a known range; holds exactly from the first value, and is wider.

Under drift, they cover the running average of the values' conditional means.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from flyball.errors import InvalidInput
from training.dataset import Floats

#: Values before the asymptotic bounds say anything.
START = 100
#: Number of values at which the mixture is tightest.
TUNED_FOR = 2000.0
#: Largest bet of the empirical Bernstein sequence.
LARGEST_BET = 0.5


@dataclass(frozen=True, slots=True)
class Sequence:
    """Running mean and bounds ``[…, T]``; infinite bounds where nothing can be said yet."""

    mean: Floats
    low: Floats
    high: Floats


def mixture_radius(count: Floats, alpha: float, *, sides: int = 2, tuned_for: float) -> Floats:
    """Half-width of the mixture's bound on a mean of unit variance after ``count`` values.

    ``sides`` 2: both bounds hold together at 1 - ``alpha``; 1: one of them.
    """
    if not 0.0 < alpha < 1.0 or sides not in (1, 2):
        raise InvalidInput("A sequence needs alpha in 0 … 1 and one or two sides.", field="alpha")
    rho = mixture_width(alpha, tuned_for)
    grown = count * rho * rho + 1.0
    root = np.sqrt(grown)
    inside = root / alpha if sides == 2 else 1.0 + root / (2.0 * alpha)
    return np.asarray(np.sqrt(2.0 * grown / (count * rho) ** 2 * np.log(inside)))


def mixture_width(alpha: float, tuned_for: float) -> float:
    """The mixture's standard deviation that makes the bound tightest at ``tuned_for`` values."""
    reach = -2.0 * math.log(alpha)
    return math.sqrt((reach + math.log(reach + 1.0)) / tuned_for)


def asymptotic_sequence(
    values: Floats,
    alpha: float = 0.05,
    *,
    sides: int = 2,
    start: int = START,
    tuned_for: float = TUNED_FOR,
) -> Sequence:
    """Mean of ``values`` ``[…, T]`` with bounds that hold at all looks from ``start`` on.

    With ``sides=1`` each bound alone holds at 1 - ``alpha``: use one of them.
    """
    count = np.arange(1.0, values.shape[-1] + 1.0)
    mean = np.cumsum(values, axis=-1) / count
    square = np.cumsum(values**2, axis=-1) / count
    spread = np.sqrt(np.maximum(square - mean**2, 0.0))
    half = spread * mixture_radius(count, alpha, sides=sides, tuned_for=tuned_for)
    # A run of equal values has no spread yet: silence, not certainty.
    half = np.where((count < start) | (spread <= 0.0), np.inf, half)
    return Sequence(mean, mean - half, mean + half)


def bounded_sequence(
    values: Floats, alpha: float = 0.05, *, lowest: float, highest: float, sides: int = 2
) -> Sequence:
    """Bounds that hold exactly for ``values`` ``[…, T]`` in ``lowest`` … ``highest``.

    The centre is the sequence's own weighted mean, which bets more while the spread is small.

    Raises
    ------
    InvalidInput
        A value lies outside the range: the guarantee would be void.
    """
    inside = unit_range(values, lowest, highest)
    risk = math.log((2.0 if sides == 2 else 1.0) / alpha)
    before, variance = predictable(inside)
    count = np.arange(1.0, inside.shape[-1] + 1.0)
    bet = np.sqrt(2.0 * risk / (variance * count * np.log1p(count)))
    bet = np.minimum(bet, LARGEST_BET)
    total = np.cumsum(bet, axis=-1)
    mean = np.cumsum(bet * inside, axis=-1) / total
    # v·ψ of the theorem: 4 (x - mean before)² times (-log(1 - λ) - λ) / 4.
    cost = np.cumsum((inside - before) ** 2 * (-np.log1p(-bet) - bet), axis=-1)
    half = (risk + cost) / total
    span = highest - lowest
    low, high = np.maximum(mean - half, 0.0), np.minimum(mean + half, 1.0)
    return Sequence(lowest + span * mean, lowest + span * low, lowest + span * high)


def unit_range(values: Floats, lowest: float, highest: float) -> Floats:
    """``values`` moved into 0 … 1, refused if they do not fit."""
    if not lowest < highest or values.min() < lowest or values.max() > highest:
        raise InvalidInput(
            f"Values must lie in {lowest:g} … {highest:g} for an exact sequence.",
            "Give the true range, or use the asymptotic sequence.",
            field="values",
        )
    return np.asarray((values - lowest) / (highest - lowest))


def predictable(inside: Floats) -> tuple[Floats, Floats]:
    """Mean and variance ``[…, T]`` as known before each value of ``inside`` (0 … 1).

    They start from one imagined value of 1/2 with variance 1/4.
    """
    count = np.arange(1.0, inside.shape[-1] + 1.0)
    mean = (0.5 + np.cumsum(inside, axis=-1)) / (count + 1.0)
    variance = (0.25 + np.cumsum((inside - mean) ** 2, axis=-1)) / (count + 1.0)
    return lagged(mean, 0.5), lagged(variance, 0.25)


def lagged(values: Floats, first: float) -> Floats:
    """``values`` ``[…, T]`` one place later, after ``first``."""
    head = np.full((*values.shape[:-1], 1), first)
    return np.concatenate([head, values[..., :-1]], axis=-1)
