"""What throttling the tenant has felt. Only the past: nothing after the as-of time."""

from __future__ import annotations

from functools import partial
from typing import Any

import ibis

from features.definitions.portable import largest, ratio, real, rows, total
from features.definitions.registry import feature as any_feature
from features.definitions.registry import measure

Expr = Any
feature = partial(any_feature, group="friction")


@measure
def blocked_7d(days: Expr) -> Expr:
    """Blocked requests of the last 7 days."""
    return total(days.blocked, days.age <= 7)


@measure
def blocked_28d(days: Expr) -> Expr:
    """Blocked requests of the last 28 days."""
    return total(days.blocked, days.age <= 28)


@feature(unit="share", window="7d", null="no demand")
def blocked_share_7d(blocked_7d: Expr, demand_7d: Expr) -> Expr:
    """Blocked requests divided by demand."""
    return ratio(blocked_7d, demand_7d)


@feature(unit="share", window="28d", null="no demand")
def blocked_share_28d(blocked_28d: Expr, demand_28d: Expr) -> Expr:
    """Blocked requests divided by demand."""
    return ratio(blocked_28d, demand_28d)


@measure
def blocked_days(days: Expr) -> Expr:
    """Days with a blocked request in the last 28."""
    return rows((days.age <= 28) & (days.blocked > 0))


@feature(unit="day", window="28d", null="never")
def days_blocked_28d(blocked_days: Expr) -> Expr:
    """Days on which a request was blocked."""
    return ibis.coalesce(blocked_days, 0.0)


@measure
def limit_days(days: Expr) -> Expr:
    """Days of the last 28 on which demand reached the base limit."""
    daily = (days.window_seconds > 3_600) & (
        days.demand * real(days.window_seconds) >= real(days.base_limit) * 86_400.0
    )
    seen = days.share_peak >= 1.0
    return rows((days.age <= 28) & (ibis.coalesce(seen, False) | ibis.coalesce(daily, False)))


@feature(unit="day", window="28d", null="never")
def days_at_limit_28d(limit_days: Expr) -> Expr:
    """Days with a limit window in which demand reached the base limit; for daily and monthly
    limits, days with more than the limit per day."""
    return ibis.coalesce(limit_days, 0.0)


@measure
def decisions_28d(decisions: Expr) -> Expr:
    """Decisions that started in the last 28 days."""
    return rows(decisions.hours_ago <= 28 * 24)


@measure
def arms_28d(decisions: Expr) -> Expr:
    """Sum of their arms, in hundredths."""
    return total(decisions.arm, decisions.hours_ago <= 28 * 24)


@measure
def tightened_28d(decisions: Expr) -> Expr:
    """Those of them that tightened."""
    return rows((decisions.hours_ago <= 28 * 24) & (decisions.arm < 100))


@measure
def arm_newest(decisions: Expr) -> Expr:
    """Start hour and arm of the newest decision in one number (the tighter arm loses a tie)."""
    return largest(decisions.start_hour * 1024 + decisions.arm, decisions.hours_ago > 0)


@measure
def friction_newest(decisions: Expr) -> Expr:
    """Start hour of the newest decision that tightened."""
    return largest(decisions.start_hour, decisions.arm < 100)


@feature(unit="multiplier", window="28d", null="no decision in 28 days")
def arm_mean_28d(arms_28d: Expr, decisions_28d: Expr) -> Expr:
    """Mean multiplier of the decisions that started in the window."""
    return ratio(arms_28d / 100.0, decisions_28d)


@feature(unit="multiplier", window="84d", null="no decision in 84 days")
def arm_last(arm_newest: Expr) -> Expr:
    """Multiplier of the newest decision."""
    return real(arm_newest % 1024) / 100.0


@feature(unit="share", window="28d", null="no decision in 28 days")
def tightened_share_28d(tightened_28d: Expr, decisions_28d: Expr) -> Expr:
    """Share of the decisions in the window that tightened."""
    return ratio(tightened_28d, decisions_28d)


@feature(unit="day", window="84d", null="no friction in 84 days")
def days_since_friction(friction_newest: Expr, as_of_hour: Expr) -> Expr:
    """Days since the newest decision that tightened started."""
    return real(as_of_hour - friction_newest) / 24.0
