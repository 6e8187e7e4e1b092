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
def windows_7d(days: Expr) -> Expr:
    """Limit windows with demand in the last 7 days."""
    return total(days.windows, days.age <= 7)


@measure
def windows_28d(days: Expr) -> Expr:
    """Limit windows with demand in the last 28 days."""
    return total(days.windows, days.age <= 28)


@measure
def share_sum_7d(days: Expr) -> Expr:
    """Sum of shares over the windows of the last 7 days."""
    return total(days.share_sum, days.age <= 7)


@measure
def share_sum_28d(days: Expr) -> Expr:
    """Sum of shares over the windows of the last 28 days."""
    return total(days.share_sum, days.age <= 28)


@measure
def active_days_28(days: Expr) -> Expr:
    """Days with activity among the last 28 and the day so far."""
    return rows((days.age <= 28) & (days.activity > 0))


@measure
def demand_mean_7(demand_7d: Expr, span_7d: Expr) -> Expr:
    """Mean daily demand of the last 7 days."""
    return ratio(demand_7d, span_7d)


@measure
def demand_mean_28(demand_28d: Expr, span_28d: Expr) -> Expr:
    """Mean daily demand of the last 28 days."""
    return ratio(demand_28d, span_28d)


def _bin(name: str) -> None:
    """Register the share histogram's sums of one bin (arms lie on the lower edges)."""

    def bin_sum(days: Expr) -> Expr:
        return total(days[f"bin_sum_{name}"], days.age <= 28)

    def bin_count(days: Expr) -> Expr:
        return total(days[f"bin_count_{name}"], days.age <= 28)

    for function, words in ((bin_sum, "Sum of shares"), (bin_count, "Number of windows")):
        function.__name__ = f"{function.__name__}_{name}_28d"
        function.__doc__ = f"{words} in share bin {name} of the last 28 days (5: it and above)."
        measure(function)


for _name in ("1", "2", "3", "4", "5"):
    _bin(_name)
