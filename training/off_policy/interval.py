"""Intervals around sums of ratios, clustered by organisation.

Two ways, both over organisations' totals, because rows of one organisation are not independent:

- ``t``: the influence function's clustered error with Student's t. The default: in the coverage
  benchmark it is as close to its level as the bootstrap, and it costs nothing.
- ``bootstrap``: organisations drawn again with replacement; the studentised quantiles, which follow
  a skewed estimate where t cannot.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from training.dataset import Floats, Ints
from training.off_policy.estimator import Ratio
from training.off_policy.student import student_quantile


class IntervalKind(StrEnum):
    """How an interval is made; see the module."""

    T = "t"
    BOOTSTRAP = "bootstrap"


@dataclass(frozen=True, slots=True)
class ClusterTotals:
    """Totals per organisation ``[C, k]`` of each ratio's numerator and denominator ``[C, k]``."""

    numerator: Floats
    denominator: Floats
    sign: Floats

    @property
    def clusters(self) -> int:
        """Number of organisations C."""
        return len(self.numerator)

    def value(self) -> float:
        """The sum of ratios."""
        return float(self._values(self.numerator.sum(axis=0), self.denominator.sum(axis=0)))

    def error(self) -> float:
        """Clustered standard error by the delta method; infinite with one organisation."""
        if self.clusters < 2:
            return math.inf
        low = self.denominator.sum(axis=0)
        ratio = _divide(self.numerator.sum(axis=0), low)
        influence = _divide(self.numerator - ratio * self.denominator, low) @ self.sign
        return math.sqrt(float((influence**2).sum()) * self.clusters / (self.clusters - 1))

    def resampled(self, draws: int, seed: int) -> tuple[Floats, Floats]:
        """Values and clustered errors ``[draws]`` of organisations drawn again."""
        generator = np.random.Generator(np.random.Philox(seed))
        count = self.clusters
        drawn = generator.multinomial(count, np.full(count, 1.0 / count), size=draws)
        times: Floats = drawn.astype(np.float64)
        top, low = times @ self.numerator, times @ self.denominator
        return self._values(top, low), self._errors(times, _divide(top, low), low)

    def _values(self, top: Floats, low: Floats) -> Floats:
        return np.asarray(_divide(top, low) @ self.sign)

    def _errors(self, times: Floats, ratio: Floats, low: Floats) -> Floats:
        """Errors by expanding ``(Σ_j s_j (num_j - ratio_j den_j) / low_j)²`` into products."""
        scale = _divide(np.broadcast_to(self.sign, low.shape), low)
        factors = np.concatenate([scale, -scale * ratio], axis=1)
        columns = np.concatenate([self.numerator, self.denominator], axis=1)
        square = np.zeros(len(times))
        for i in range(columns.shape[1]):
            for j in range(i, columns.shape[1]):
                moment = times @ (columns[:, i] * columns[:, j])
                square += (1.0 if i == j else 2.0) * factors[:, i] * factors[:, j] * moment
        bend = self.clusters / max(1, self.clusters - 1)
        return np.sqrt(np.maximum(square, 0.0) * bend)


def cluster_totals(ratios: Sequence[Ratio], cluster: Ints) -> ClusterTotals:
    """Totals of ``ratios`` over organisation codes ``cluster`` ``[n]`` (any integers ≥ 0)."""
    present, codes = np.unique(cluster, return_inverse=True)
    count = len(present)

    def total(column: Floats) -> Floats:
        return np.asarray(np.bincount(codes, weights=column, minlength=count), dtype=np.float64)

    return ClusterTotals(
        np.column_stack([total(ratio.numerator) for ratio in ratios]),
        np.column_stack([total(ratio.denominator) for ratio in ratios]),
        np.asarray([ratio.sign for ratio in ratios]),
    )


@dataclass(frozen=True, slots=True)
class Interval:
    """Two-sided ``low`` … ``high``, and the one-sided bounds ``floor`` and ``ceiling``.

    Each of the three statements holds at the same level, one at a time.
    """

    low: float
    high: float
    floor: float
    ceiling: float


def t_interval(totals: ClusterTotals, degrees: float, level: float) -> Interval:
    """Value ± Student's t quantile times the clustered error."""
    value, error = totals.value(), totals.error()
    if not math.isfinite(error):
        return Interval(-math.inf, math.inf, -math.inf, math.inf)
    both = error * student_quantile(0.5 + level / 2.0, degrees)
    one = error * student_quantile(level, degrees)
    return Interval(value - both, value + both, value - one, value + one)


def bootstrap_interval(
    totals: ClusterTotals, level: float, *, draws: int = 999, seed: int = 0
) -> Interval:
    """Studentised clustered bootstrap (Efron and Tibshirani 1993, section 12.5)."""
    value, error = totals.value(), totals.error()
    if not math.isfinite(error) or error == 0.0:
        edge = 0.0 if error == 0.0 else math.inf
        return Interval(value - edge, value + edge, value - edge, value + edge)
    values, errors = totals.resampled(draws, seed)
    usable = errors > 1e-9 * error
    pivot = (values[usable] - value) / errors[usable]
    tail = (1.0 - level) / 2.0
    quantiles = np.quantile(pivot, [tail, 1.0 - tail, 1.0 - level, level])
    low, high, under, over = (float(q) for q in quantiles)
    return Interval(
        value - error * high, value - error * low, value - error * over, value - error * under
    )


def _divide(top: Floats, low: Floats) -> Floats:
    """0 where nothing was weighed."""
    shape = np.broadcast_shapes(top.shape, low.shape)
    known = np.broadcast_to(low, shape) != 0.0
    return np.asarray(np.divide(top, low, out=np.zeros(shape), where=known), dtype=np.float64)
