"""Whether people and machines at the tenant use the product, and which parts of it."""

from __future__ import annotations

from functools import partial
from typing import Any

import ibis

from features.definitions.portable import (
    change,
    largest,
    log1p,
    ratio,
    real,
    rows,
    total,
    unpacked,
)
from features.definitions.registry import feature as any_feature
from features.definitions.registry import measure

Expr = Any
feature = partial(any_feature, group="engagement")


@measure
def active_days_7(days: Expr) -> Expr:
    """Days with demand or a login among the last 7 and the day so far."""
    return rows((days.age <= 7) & ((days.demand > 0) | (days.logins > 0)))


@feature(unit="share", window="7d", null="never")
def active_days_7d(active_days_7: Expr, span_7d: Expr) -> Expr:
    """Days with demand or a login divided by days in the window (a day just begun can lift it
    above 1)."""
    return ratio(ibis.coalesce(active_days_7, 0.0), span_7d)


@feature(unit="share", window="28d", null="never")
def active_days_28d(active_days_28: Expr, span_28d: Expr) -> Expr:
    """Days with demand or a login divided by days in the window."""
    return ratio(ibis.coalesce(active_days_28, 0.0), span_28d)


@measure
def last_event_us(days: Expr) -> Expr:
    """Time of the last demand, login or blocked request in the last 30 days."""
    return largest(days.last_at_us, days.age <= 30)


@feature(unit="day", window="30d", null="none in 30 days")
def days_since_event(last_event_us: Expr, as_of_hour: Expr) -> Expr:
    """Days since the last demand, login or blocked request."""
    return real(as_of_hour * 3_600_000_000 - last_event_us) / 86_400_000_000.0


@measure
def seats_newest(meters: Expr) -> Expr:
    """The last reported number of active seats, packed behind its time."""
    return largest(meters.gauge, (meters.meter == "seats.active") & (meters.age <= 28))


@feature(unit="seat", window="28d", null="not reported")
def seats_active(seats_newest: Expr) -> Expr:
    """Active seats as last reported."""
    return unpacked(seats_newest)


@feature(unit="share", window="28d", null="not reported, or no paid seats known")
def seat_share(seats_newest: Expr, seats: Expr) -> Expr:
    """Active seats as last reported divided by paid seats."""
    return ratio(unpacked(seats_newest), seats)


@measure
def logins_of_7d(days: Expr) -> Expr:
    """Logins of the last 7 days."""
    return total(days.logins, days.age <= 7)


@measure
def logins_of_28d(days: Expr) -> Expr:
    """Logins of the last 28 days."""
    return total(days.logins, days.age <= 28)


@feature(unit="login/day", window="28d", null="never")
def logins_28d(logins_of_28d: Expr, span_28d: Expr) -> Expr:
    """Mean logins a day."""
    return ratio(ibis.coalesce(logins_of_28d, 0.0), span_28d)


@feature(unit="1", window="28d", null="no logins")
def logins_change(logins_of_7d: Expr, logins_of_28d: Expr, span_7d: Expr, span_28d: Expr) -> Expr:
    """Change of mean daily logins, 7 days against 28, symmetric, in [-1, 1]."""
    return change(ratio(logins_of_7d, span_7d), ratio(logins_of_28d, span_28d))


@measure
def integrations_newest(meters: Expr) -> Expr:
    """The last reported number of active integrations, packed behind its time."""
    return largest(meters.gauge, (meters.meter == "integrations.active") & (meters.age <= 28))


@feature(unit="integration", window="28d", null="not reported")
def integrations_active(integrations_newest: Expr) -> Expr:
    """Active integrations as last reported."""
    return unpacked(integrations_newest)


@measure
def exports_of_28d(meters: Expr) -> Expr:
    """Exports of the last 28 days."""
    return total(meters.quantity_sum, (meters.meter == "exports") & (meters.age <= 28))


@feature(unit="log export/day", window="28d", null="never")
def exports_28d(exports_of_28d: Expr, span_28d: Expr) -> Expr:
    """Natural logarithm of 1 + mean daily exports."""
    return log1p(ratio(ibis.coalesce(exports_of_28d, 0.0), span_28d))


@measure
def ai_tokens_of_28d(meters: Expr) -> Expr:
    """AI tokens of the last 28 days."""
    return total(meters.quantity_sum, (meters.meter == "ai.tokens") & (meters.age <= 28))


@feature(unit="log token/day", window="28d", null="never")
def ai_tokens_28d(ai_tokens_of_28d: Expr, span_28d: Expr) -> Expr:
    """Natural logarithm of 1 + mean daily AI tokens."""
    return log1p(ratio(ibis.coalesce(ai_tokens_of_28d, 0.0), span_28d))


@measure
def db_reads_of_28d(meters: Expr) -> Expr:
    """Database reads of the last 28 days."""
    return total(meters.quantity_sum, (meters.meter == "db.reads") & (meters.age <= 28))


@feature(unit="log read/day", window="28d", null="never")
def db_reads_28d(db_reads_of_28d: Expr, span_28d: Expr) -> Expr:
    """Natural logarithm of 1 + mean daily database reads."""
    return log1p(ratio(ibis.coalesce(db_reads_of_28d, 0.0), span_28d))


@measure
def workflows_of_28d(meters: Expr) -> Expr:
    """Most concurrent workflows in the last 28 days."""
    running = (meters.meter == "workflows.concurrent") & (meters.age <= 28)
    return largest(meters.quantity_max, running)


@feature(unit="workflow", window="28d", null="never")
def workflows_peak_28d(workflows_of_28d: Expr) -> Expr:
    """Most workflows that ran at once (0 where none was reported)."""
    return ibis.coalesce(workflows_of_28d, 0.0)


@measure
def storage_newest(meters: Expr) -> Expr:
    """Storage as last reported, packed behind its time."""
    return largest(meters.gauge, (meters.meter == "storage.bytes") & (meters.age <= 28))


@measure
def storage_before(meters: Expr) -> Expr:
    """Storage as last reported 21 to 28 days ago, packed behind its time."""
    recalled = (meters.age >= 21) & (meters.age <= 28)
    return largest(meters.gauge, (meters.meter == "storage.bytes") & recalled)


@feature(unit="1", window="28d", null="not reported, now or three weeks ago")
def storage_growth_28d(storage_newest: Expr, storage_before: Expr) -> Expr:
    """Change of stored bytes since three to four weeks ago, symmetric, in [-1, 1]."""
    return change(unpacked(storage_newest), unpacked(storage_before))
