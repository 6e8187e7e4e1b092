"""Usage against the limits, day by day: the busiest window as a share of the base limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from console.design.chart import Line, line_chart
from console.design.display import date, percent, whole
from console.standings.row import Standing
from flyball.arm import NEUTRAL
from flyball.decision import Decision
from flyball.instant import DAY_US
from telemetry.account_usage import DayUsage

DAYS = 84
BLOCKED = "api.blocked"


@dataclass(frozen=True, slots=True)
class UsageView:
    """A chart, the table that says the same, and on how many days the limit was met.

    ``weekly_demand`` is the mean of the last four whole weeks, in units of the primary meter.
    """

    picture: Markup
    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    legend: tuple[tuple[str, int], ...]
    days_met: int
    weekly_demand: float
    known: bool


def usage_view(
    days: Sequence[DayUsage], row: Standing, history: Sequence[Decision], now_us: int
) -> UsageView:
    """The last :data:`DAYS` days of the plan's primary meter and of blocked requests."""
    last = now_us // DAY_US
    dates = range(last - DAYS + 1, last + 1)
    demand = {item.day: item for item in days if item.meter == row.meter}
    blocked = {item.day: item.quantity for item in days if item.meter == BLOCKED}
    arms = _arms(history, dates)
    base = row.base_limit
    contract = None
    if base and row.contract_limit is not None:
        contract = 100.0 * row.contract_limit / base
    shares = [_share(demand.get(day)) for day in dates]
    lines = [
        Line("Busiest window", shares, 1),
        Line("Effective limit", [float(arm) for arm in arms], 2),
    ]
    if contract is not None:
        lines.append(Line("Contract limit", [contract] * len(shares), 4))
    lines.append(Line("Base limit", [100.0] * len(shares), 3))
    told = [
        (
            date(day * DAY_US),
            whole(demand[day].quantity) if day in demand else "–",
            "–" if share is None else percent(share / 100, 0),
            percent(arm / 100, 0),
            whole(blocked.get(day, 0.0)),
        )
        for day, share, arm in zip(dates, shares, arms, strict=True)
    ]
    recent = [item.quantity for day, item in demand.items() if last - 28 <= day < last]
    return UsageView(
        picture=line_chart(lines, [date(day * DAY_US).rsplit(" ", 1)[0] for day in dates]),
        head=("Day", "Demand", "Busiest window, of base", "Effective limit, of base", "Blocked"),
        rows=told[::-1],
        legend=tuple((line.name, line.style) for line in lines),
        days_met=sum(
            1 for share, arm in zip(shares, arms, strict=True) if share is not None and share >= arm
        ),
        weekly_demand=sum(recent) / 4.0,
        known=bool(demand),
    )


def _share(item: DayUsage | None) -> float | None:
    return None if item is None or item.peak_share is None else 100.0 * item.peak_share


def _arms(history: Sequence[Decision], dates: Sequence[int]) -> list[int]:
    """The multiplier that was served on each day, in hundredths (×1.00 before any decision)."""
    spans = sorted((item.period_start_us // DAY_US, item.served_arm) for item in history)
    arms, at, arm = [], 0, NEUTRAL
    for day in dates:
        while at < len(spans) and spans[at][0] <= day:
            arm = spans[at][1]
            at += 1
        arms.append(arm)
    return arms
