"""Means and sums with standard errors clustered by organisation.

Rows of one organisation are not independent: its weeks repeat, and its accounts leave together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from training.dataset import Floats, Ints


@dataclass(frozen=True, slots=True)
class ClusteredMean:
    """A mean, its clustered standard error (infinite with one cluster), and the clusters."""

    mean: float
    error: float
    clusters: int


def clustered_mean(values: Floats, cluster: Ints) -> ClusteredMean:
    """Mean of ``values`` [n] over rows whose organisation codes are ``cluster`` [n] (n ≥ 1)."""
    mean = float(values.mean())
    return ClusteredMean(
        mean, clustered_error(values - mean, cluster) / len(values), len(np.unique(cluster))
    )


def clustered_error(influence: Floats, cluster: Ints) -> float:
    """Standard error of a sum of ``influence`` [n] (mean zero) over organisations ``cluster`` [n].

    The square root of the summed squares of per-organisation sums, times C / (C - 1).
    """
    sums = np.bincount(cluster, weights=influence)
    count = len(np.unique(cluster))
    if count < 2:
        return math.inf
    return math.sqrt(float((sums**2).sum()) * count / (count - 1))
