"""Context: expected demand, and the share of it that each arm of the default grid would block."""

from __future__ import annotations

from typing import Any

import ibis

from features.definitions.portable import nothing, ratio, real, total, when
from features.definitions.registry import context, measure

Expr = Any


#: Arm to the share bins at or above it.
_BINS_FROM = {
    70: ("1", "2", "3", "4", "5"),
    85: ("2", "3", "4", "5"),
    100: ("3", "4", "5"),
    115: ("4", "5"),
    130: ("5",),
}


def _added(columns: list[Expr]) -> Expr:
    first, *others = columns
    for other in others:
        first = first + other
    return first


def _excess(arm: int) -> None:
    """Register the demand beyond a daily limit under ``arm`` (hundredths)."""

    def day_excess(days: Expr) -> Expr:
        # The effective limit rounds up, in whole numbers, as flyball.arm does.
        allowed = real((days.base_limit * arm + 99) // 100)
        daily = (days.age >= 1) & (days.age <= 28) & (days.window_seconds == 86_400)
        return total(days.demand - allowed, daily & (days.demand > allowed))

    day_excess.__name__ = f"day_excess_{arm}_28d"
    day_excess.__doc__ = f"Demand beyond {arm} % of a daily limit in the last 28 complete days."
    measure(day_excess)


def _blocked(arm: int) -> None:
    """Register the context column of one arm; edges of the share bins make it exact."""
    sums = [f"bin_sum_{each}_28d" for each in _BINS_FROM[arm]]
    counts = [f"bin_count_{each}_28d" for each in _BINS_FROM[arm]]

    def blocked(**inputs: Expr) -> Expr:
        over_sum, over_count = (_added([inputs[i] for i in names]) for names in (sums, counts))
        # Shares are quantised, so the difference may fall a hair below 0.
        excess = ibis.greatest(over_sum - over_count * (arm / 100.0), 0.0)
        by_window = ratio(excess, inputs["share_sum_28d"])
        by_day = ratio(inputs[f"day_excess_{arm}_28d"], inputs["demand_complete"])
        limit = real((inputs["base_limit"] * arm + 99) // 100)
        demand = inputs["demand_30d"]
        by_month = ratio(when(demand > limit, demand - limit, 0.0), demand)
        seconds = inputs["window_seconds"]
        return ibis.cases(
            (seconds.isnull(), nothing()),
            (seconds > 86_400, by_month),
            (seconds > 3_600, by_day),
            else_=by_window,
        )

    blocked.__name__ = f"blocked_{arm}"
    blocked.__doc__ = (
        f"Share of demand that a limit of {arm} % of the base limit would have blocked in the last "
        "28 days (monthly limits: 30); missing where no demand was seen."
    )
    others = ("share_sum_28d", "demand_complete", "demand_30d", "base_limit", "window_seconds")
    context(unit="share", inputs=(*sums, *counts, f"day_excess_{arm}_28d", *others))(blocked)


@context(unit="unit")
def demand_period(demand_mean_7: Expr) -> Expr:
    """Demand of the primary meter expected in the next seven days: seven times the mean day of the
    last seven."""
    return ibis.coalesce(demand_mean_7, 0.0) * 7.0


for _arm in _BINS_FROM:
    _excess(_arm)
    _blocked(_arm)


@measure
def coarse_windows_28d(shares: Expr) -> Expr:
    """Windows of the last 28 days whose share was estimated."""
    return total(shares.coarse_count, shares.age <= 28)


@context(unit="boolean")
def coarse(coarse_windows_28d: Expr) -> Expr:
    """Whether demand was too coarse to see limit windows in, so that shares are estimates."""
    return ibis.coalesce(coarse_windows_28d > 0.0, False)
