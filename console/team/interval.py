"""Shares with intervals, for few events and for rows that belong together."""

from __future__ import annotations

import math
from dataclasses import dataclass

#: Half-width of a 95 % normal interval, in standard deviations.
Z95 = 1.959964


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its 95 % interval."""

    mean: float
    low: float
    high: float

    def holds(self, value: float) -> bool:
        """Whether ``value`` lies within."""
        return self.low <= value <= self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Sums over clusters (organisations) of rows ``n`` and events ``e``: Σn, Σe, Σe², Σen, Σn²."""

    rows: float
    events: float
    events_squared: float
    events_rows: float
    rows_squared: float

    @property
    def share(self) -> float:
        """Events a row."""
        return self.events / self.rows if self.rows else 0.0

    @property
    def variance(self) -> float:
        """Of the share, clustered (Taylor); few events make it too small, so at least a binomial's.

        To the binomial's share half an event is added: no event is not certainty.
        """
        if not self.rows:
            return math.inf
        share = self.share
        between = (
            self.events_squared - 2 * share * self.events_rows + share**2 * self.rows_squared
        ) / self.rows**2
        floor = (self.events + 0.5) / (self.rows + 1.0)
        return max(between, floor * (1.0 - floor) / self.rows)


def share_interval(moments: Moments) -> Interval:
    """The share with its interval, within 0..1."""
    if not moments.rows:
        return Interval(0.0, 0.0, 1.0)
    half = Z95 * math.sqrt(moments.variance)
    return Interval(moments.share, max(0.0, moments.share - half), min(1.0, moments.share + half))


def difference(treated: Moments, control: Moments) -> Interval | None:
    """How much more often it happened to the treated; None where either has no rows."""
    if not treated.rows or not control.rows:
        return None
    mean = treated.share - control.share
    half = Z95 * math.sqrt(treated.variance + control.variance)
    return Interval(mean, mean - half, mean + half)


def wilson(events: int, rows: int) -> Interval:
    """A share of independent rows (Wilson 1927).

    Examples
    --------
    >>> interval = wilson(2, 10)
    >>> round(interval.low, 3), round(interval.high, 3)
    (0.057, 0.51)
    """
    if rows <= 0:
        return Interval(0.0, 0.0, 1.0)
    share, z2 = events / rows, Z95**2
    middle = (share + z2 / (2 * rows)) / (1 + z2 / rows)
    half = Z95 / (1 + z2 / rows) * math.sqrt(share * (1 - share) / rows + z2 / (4 * rows**2))
    return Interval(share, max(0.0, middle - half), min(1.0, middle + half))
