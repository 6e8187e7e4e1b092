"""Where demand is going."""

from __future__ import annotations

from functools import partial
from typing import Any

import ibis

from features.definitions.portable import change, log1p, ratio, total, when
from features.definitions.registry import feature as any_feature
from features.definitions.registry import measure

Expr = Any
feature = partial(any_feature, group="trajectory")


@measure
def demand_1d(days: Expr) -> Expr:
    """Demand of yesterday and the day so far."""
    return total(days.demand, days.age <= 1)


@feature(unit="log unit", window="1d", null="never")
def demand_sum_1d(demand_1d: Expr) -> Expr:
    """Natural logarithm of 1 + demand of yesterday and the day so far."""
    return log1p(ibis.coalesce(demand_1d, 0.0))


@feature(unit="log unit/day", window="7d", null="never")
def demand_mean_7d(demand_mean_7: Expr) -> Expr:
    """Natural logarithm of 1 + mean daily demand."""
    return log1p(ibis.coalesce(demand_mean_7, 0.0))


@feature(unit="log unit/day", window="28d", null="never")
def demand_mean_28d(demand_mean_28: Expr) -> Expr:
    """Natural logarithm of 1 + mean daily demand."""
    return log1p(ibis.coalesce(demand_mean_28, 0.0))


@measure
def demand_moment(days: Expr) -> Expr:
    """Sum over the last 28 complete days of demand times twice the days from the window's middle
    (later days count positive)."""
    return total(days.demand * (29 - 2 * days.age), (days.age >= 1) & (days.age <= 28))


@measure
def demand_complete(days: Expr) -> Expr:
    """Demand of the last 28 complete days."""
    return total(days.demand, (days.age >= 1) & (days.age <= 28))


@feature(unit="1/day", window="28d", null="no demand")
def demand_slope_28d(demand_moment: Expr, demand_complete: Expr) -> Expr:
    """Least-squares slope of daily demand over the last 28 complete days (days without demand
    count as 0), relative to their mean, per day."""
    # sum (t - mean t)**2 = 28 * (28**2 - 1) / 12 = 1827; the moment is doubled to stay whole.
    return ratio(demand_moment / 2.0 / 1827.0, demand_complete / 28.0)


@feature(unit="1", window="14d", null="no demand")
def demand_week_on_week(demand_mean_7: Expr, demand_prior_week: Expr) -> Expr:
    """Change of mean daily demand from the week before to the last 7 days, symmetric:
    (now - before) / (now + before), in [-1, 1]."""
    return change(demand_mean_7, demand_prior_week / 7.0)


@feature(unit="1", window="21d", null="no demand in one of the two pairs of weeks")
def demand_acceleration(
    demand_mean_7: Expr, demand_prior_week: Expr, demand_third_week: Expr
) -> Expr:
    """Week-on-week change now minus week-on-week change a week ago."""
    return change(demand_mean_7, demand_prior_week / 7.0) - change(
        demand_prior_week, demand_third_week
    )


def _weekday(weekday: int) -> None:
    """Register the demand of one weekday over the last 28 complete days (four of each)."""

    def total_of(days: Expr) -> Expr:
        of_day = days.event_day % 7 == weekday
        return total(days.demand, (days.age >= 1) & (days.age <= 28) & of_day)

    total_of.__name__ = f"weekday_{weekday}"
    total_of.__doc__ = f"Demand of days with day number % 7 = {weekday} in the last 28."
    measure(total_of)


for _each in range(7):
    _weekday(_each)


@feature(unit="1", window="28d", null="no demand")
def weekday_strength_28d(
    weekday_0: Expr,
    weekday_1: Expr,
    weekday_2: Expr,
    weekday_3: Expr,
    weekday_4: Expr,
    weekday_5: Expr,
    weekday_6: Expr,
    demand_complete: Expr,
) -> Expr:
    """Weekly seasonality: demand of the busiest weekday minus that of the quietest, divided by
    that of a mean weekday."""
    weekdays = (weekday_0, weekday_1, weekday_2, weekday_3, weekday_4, weekday_5, weekday_6)
    spread = ibis.greatest(*weekdays) - ibis.least(*weekdays)
    return ratio(spread, demand_complete / 7.0)


@feature(unit="share", window="28d", null="no limit window with demand in 7 days")
def share_change_7d(share_mean_7d: Expr, share_mean_28d: Expr) -> Expr:
    """Mean share of the limit over 7 days minus that over 28 days."""
    return share_mean_7d - share_mean_28d


@feature(unit="share", window="28d", null="no limit window with demand, or no demand")
def share_projected_28d(share_mean_28d: Expr, demand_slope_28d: Expr) -> Expr:
    """Mean share of the limit 28 days ahead if the slope of the last 28 days went on: from the
    window's middle to the middle of the next, never below 0."""
    ahead = share_mean_28d * (demand_slope_28d * 28.0 + 1.0)
    return when(ahead < 0.0, 0.0, ahead)
