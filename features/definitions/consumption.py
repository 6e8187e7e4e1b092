"""How much of its limit the tenant uses, and how close to it."""

from __future__ import annotations

from functools import partial
from typing import Any

import ibis

from features.definitions.portable import (
    largest,
    log1p,
    log_total,
    ratio,
    real,
    rows,
    total,
    typical,
    when,
)
from features.definitions.registry import feature as any_feature
from features.definitions.registry import measure

Expr = Any
feature = partial(any_feature, group="consumption")


@feature(unit="share", window="7d", null="no limit window with demand")
def share_mean_7d(
    share_sum_7d: Expr, windows_7d: Expr, demand_mean_7: Expr, day_limit: Expr
) -> Expr:
    """Mean demand per limit window divided by the base limit in force, over windows with demand;
    for daily and monthly limits mean daily demand divided by the limit per day."""
    return ibis.coalesce(ratio(demand_mean_7, day_limit), ratio(share_sum_7d, windows_7d))


@feature(unit="share", window="28d", null="no limit window with demand")
def share_mean_28d(
    share_sum_28d: Expr, windows_28d: Expr, demand_mean_28: Expr, day_limit: Expr
) -> Expr:
    """As share_mean_7d, over 28 days."""
    return ibis.coalesce(ratio(demand_mean_28, day_limit), ratio(share_sum_28d, windows_28d))


@measure
def share_top_7d(days: Expr) -> Expr:
    """Largest share of a limit window in the last 7 days."""
    return largest(days.share_peak, (days.age <= 7) & (days.share_peak > 0))


@measure
def share_top_28d(days: Expr) -> Expr:
    """Largest share of a limit window in the last 28 days."""
    return largest(days.share_peak, (days.age <= 28) & (days.share_peak > 0))


@measure
def demand_top_day_7d(days: Expr) -> Expr:
    """Largest daily demand of the last 7 days."""
    return largest(days.demand, days.age <= 7)


@measure
def share_top_long_28d(
    demand_top_day_28d: Expr, demand_30d: Expr, base_limit: Expr, window_seconds: Expr
) -> Expr:
    """Largest day over a daily limit, or the last 30 days over a monthly one."""
    demand = when(window_seconds > 86_400, demand_30d, demand_top_day_28d)
    return when(window_seconds > 3_600, ratio(demand, real(base_limit)), ibis.null("float64"))


@feature(unit="share", window="7d", null="no limit window with demand")
def share_peak_7d(share_top_7d: Expr, demand_top_day_7d: Expr, day_limit: Expr) -> Expr:
    """Largest demand of a limit window divided by the base limit; for limits longer than an hour
    the largest day divided by the limit per day."""
    return ibis.coalesce(ratio(demand_top_day_7d, day_limit), share_top_7d)


@feature(unit="share", window="28d", null="no limit window with demand")
def share_peak_28d(share_top_28d: Expr, share_top_long_28d: Expr) -> Expr:
    """Largest demand of a limit window divided by the base limit; for a monthly limit the last 30
    days divided by it."""
    return ibis.coalesce(share_top_long_28d, share_top_28d)


@feature(unit="share", window="28d", null="no limit window seen")
def windows_over_limit_28d(
    bin_count_3_28d: Expr, bin_count_4_28d: Expr, bin_count_5_28d: Expr, windows_28d: Expr
) -> Expr:
    """Share of the limit windows with demand in which it reached the base limit."""
    return ratio(bin_count_3_28d + bin_count_4_28d + bin_count_5_28d, windows_28d)


@feature(unit="share", window="28d", null="no limit window seen")
def windows_near_limit_28d(bin_count_1_28d: Expr, bin_count_2_28d: Expr, windows_28d: Expr) -> Expr:
    """Share of the limit windows with demand in which it lay between 70 % and 100 % of the base
    limit."""
    return ratio(bin_count_1_28d + bin_count_2_28d, windows_28d)


@feature(unit="share", window="28d", null="blocked share unknown")
def predicted_blocked_28d(blocked_100: Expr) -> Expr:
    """Share of demand that the base limit itself is expected to block."""
    return blocked_100


@feature(unit="share", window="28d", null="blocked share unknown")
def predicted_dose_28d(blocked_70: Expr, blocked_100: Expr) -> Expr:
    """Share of demand that the tightest arm is expected to block beyond the base limit."""
    return blocked_70 - blocked_100


@measure
def days_at_top(days: Expr) -> Expr:
    """Days whose demand equals the largest of the last 28."""
    return rows((days.age <= 28) & (days.demand == days.demand_top))


@measure
def demand_below_top(days: Expr) -> Expr:
    """Largest daily demand below the largest of the last 28 days."""
    return largest(days.demand, (days.age <= 28) & (days.demand < days.demand_top))


@feature(unit="log unit/day", window="28d", null="never")
def demand_p95_28d(days_at_top: Expr, demand_below_top: Expr, demand_top_day_28d: Expr) -> Expr:
    """Natural logarithm of 1 + the 95th percentile of daily demand by nearest rank: the second
    largest of 28 days, days without demand counting as 0."""
    second = when(days_at_top >= 2, demand_top_day_28d, ibis.coalesce(demand_below_top, 0.0))
    return log1p(ibis.coalesce(second, 0.0))


@measure
def hour_peak_28d(days: Expr) -> Expr:
    """Busiest hour of the last 28 days."""
    return largest(days.hour_peak, days.age <= 28)


@feature(unit="1", window="28d", null="no demand")
def burst_ratio_28d(hour_peak_28d: Expr, demand_mean_28: Expr) -> Expr:
    """Demand of the busiest hour divided by mean hourly demand."""
    return ratio(hour_peak_28d, demand_mean_28 / 24.0)


@measure
def hour_peak_1d(days: Expr) -> Expr:
    """Busiest hour of yesterday and the day so far."""
    return largest(days.hour_peak, days.age <= 1)


@measure
def demand_top_day_1d(days: Expr) -> Expr:
    """The larger of yesterday's demand and that of the day so far."""
    return largest(days.demand, days.age <= 1)


@measure
def usual_days(days: Expr) -> Expr:
    """Days with demand 2 to 28 days ago: what is usual, without what may be a spike now."""
    return rows((days.age >= 2) & (days.age <= 28) & (days.demand > 0))


@measure
def usual_hour_peaks(days: Expr) -> Expr:
    """Sum of the logarithms of those days' busiest hours."""
    return log_total(days.hour_peak, (days.age >= 2) & (days.age <= 28) & (days.demand > 0))


@measure
def usual_demand(days: Expr) -> Expr:
    """Sum of the logarithms of those days' demand."""
    return log_total(days.demand, (days.age >= 2) & (days.age <= 28) & (days.demand > 0))


@feature(unit="1", window="1d", null="no demand 2 to 28 days ago", version=2)
def spike_hour_ratio(hour_peak_1d: Expr, usual_hour_peaks: Expr, usual_days: Expr) -> Expr:
    """Busiest hour of yesterday and the day so far (live: the open hour included) divided by a
    usual day's busiest hour: the geometric mean over the days with demand 2 to 28 days ago, which
    earlier spikes hardly move."""
    return ratio(ibis.coalesce(hour_peak_1d, 0.0), typical(usual_hour_peaks, usual_days))


@feature(unit="1", window="1d", null="no demand 2 to 28 days ago", version=2)
def spike_day_ratio(demand_top_day_1d: Expr, usual_demand: Expr, usual_days: Expr) -> Expr:
    """The larger of yesterday's demand and that of the day so far divided by that of a usual day:
    the geometric mean over the days with demand 2 to 28 days ago."""
    return ratio(ibis.coalesce(demand_top_day_1d, 0.0), typical(usual_demand, usual_days))


@measure
def busy_hours(shares: Expr) -> Expr:
    """Hours with demand in the last 28 days."""
    return total(shares.active_hours, shares.age <= 28)


@feature(unit="hour/day", window="28d", null="never")
def active_hours_28d(busy_hours: Expr, span_28d: Expr) -> Expr:
    """Mean number of hours a day with demand."""
    return ratio(ibis.coalesce(busy_hours, 0.0), span_28d)
