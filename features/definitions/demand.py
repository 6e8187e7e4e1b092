"""Measures shared by several groups: demand over windows, spans, share of the limit.

A window of *k* days is the *k* complete days before the as-of day and that day so far; means
divide by exactly that span, so a midnight as-of sees *k* days and a new event counts at once.
"""

from __future__ import annotations

from typing import Any

import ibis

from features.definitions.portable import largest, ratio, real, rows, total, when
from features.definitions.registry import measure

Expr = Any

#: Limit windows longer than this have no histogram: day sums stand in for it.
_HOUR_SECONDS = 3_600
_DAY_SECONDS = 86_400


@measure
def span_7d(day_part: Expr) -> Expr:
    """Days in the 7-day window, the day so far included."""
    return day_part + 7.0


@measure
def span_28d(day_part: Expr) -> Expr:
    """Days in the 28-day window, the day so far included."""
    return day_part + 28.0


@measure
def demand_7d(days: Expr) -> Expr:
    """Primary-meter demand of the last 7 days."""
    return total(days.demand, days.age <= 7)


@measure
def demand_28d(days: Expr) -> Expr:
    """Primary-meter demand of the last 28 days."""
    return total(days.demand, days.age <= 28)


@measure
def demand_30d(days: Expr) -> Expr:
    """Primary-meter demand of the last 30 days: one month of a monthly allowance."""
    return total(days.demand, days.age <= 30)


@measure
def demand_prior_week(days: Expr) -> Expr:
    """Demand 8 to 14 days ago."""
    return total(days.demand, (days.age >= 8) & (days.age <= 14))


@measure
def demand_third_week(days: Expr) -> Expr:
    """Demand 15 to 21 days ago."""
    return total(days.demand, (days.age >= 15) & (days.age <= 21))


@measure
def demand_top_day_28d(days: Expr) -> Expr:
    """Largest daily demand of the last 28 days."""
    return largest(days.demand, days.age <= 28)


@measure
def day_limit(base_limit: Expr, window_seconds: Expr) -> Expr:
    """Base limit per day where the limit is per day or month; missing for shorter windows."""
    per_day = real(base_limit) * float(_DAY_SECONDS) / real(window_seconds)
    return when(window_seconds > _HOUR_SECONDS, per_day, ibis.null("float64"))


@measure
def windows_7d(shares: Expr) -> Expr:
    """Limit windows with demand in the last 7 days."""
    return total(shares.window_count, shares.age <= 7)


@measure
def windows_28d(shares: Expr) -> Expr:
    """Limit windows with demand in the last 28 days."""
    return total(shares.window_count, shares.age <= 28)


@measure
def share_sum_7d(shares: Expr) -> Expr:
    """Sum of shares over the windows of the last 7 days."""
    return total(shares.share_sum, shares.age <= 7)


@measure
def share_sum_28d(shares: Expr) -> Expr:
    """Sum of shares over the windows of the last 28 days."""
    return total(shares.share_sum, shares.age <= 28)


@measure
def active_days_28(days: Expr) -> Expr:
    """Days with demand or a login among the last 28 and the day so far."""
    return rows((days.age <= 28) & ((days.demand > 0) | (days.logins > 0)))


@measure
def demand_mean_7(demand_7d: Expr, span_7d: Expr) -> Expr:
    """Mean daily demand of the last 7 days."""
    return ratio(demand_7d, span_7d)


@measure
def demand_mean_28(demand_28d: Expr, span_28d: Expr) -> Expr:
    """Mean daily demand of the last 28 days."""
    return ratio(demand_28d, span_28d)


def _bin(name: int, bins: tuple[int, ...]) -> None:
    """Register the share histogram's sums of one bin (arms lie on the lower edges)."""

    def over(shares: Expr, column: str) -> Expr:
        first, *others = (shares[f"{column}_{each}"] for each in bins)
        for other in others:
            first = first + other
        return total(first, shares.age <= 28)

    def bin_sum(shares: Expr) -> Expr:
        return over(shares, "share_sum")

    def bin_count(shares: Expr) -> Expr:
        return over(shares, "share_count")

    for function, words in ((bin_sum, "Sum of shares"), (bin_count, "Number of windows")):
        function.__name__ = f"{function.__name__}_{name}_28d"
        function.__doc__ = f"{words} in share bins {bins} of the last 28 days."
        measure(function)


# No arm of the default grid tells bins 5 to 7 apart.
for _name, _bins in ((1, (1,)), (2, (2,)), (3, (3,)), (4, (4,)), (5, (5, 6, 7))):
    _bin(_name, _bins)
