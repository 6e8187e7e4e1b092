"""Trouble and help: tickets, incidents, and what people did for the tenant."""

from __future__ import annotations

from functools import partial
from typing import Any

import ibis

from features.definitions.portable import rows, total
from features.definitions.registry import feature as any_feature
from features.definitions.registry import measure

Expr = Any
feature = partial(any_feature, group="support")


@measure
def tickets_now_open(tickets: Expr) -> Expr:
    """Tickets open at the as-of time."""
    return rows(tickets.open)


@measure
def tickets_of_28d(tickets: Expr) -> Expr:
    """Tickets opened in the last 28 days."""
    return rows(tickets.hours_ago <= 28 * 24)


@measure
def tickets_urgent_of_28d(tickets: Expr) -> Expr:
    """Urgent tickets opened in the last 28 days."""
    return rows((tickets.hours_ago <= 28 * 24) & (tickets.severity == "urgent"))


@feature(unit="ticket", window="now", null="never")
def tickets_open(tickets_now_open: Expr) -> Expr:
    """Tickets open at the as-of time."""
    return ibis.coalesce(tickets_now_open, 0.0)


@feature(unit="ticket", window="28d", null="never")
def tickets_28d(tickets_of_28d: Expr) -> Expr:
    """Tickets opened in the window."""
    return ibis.coalesce(tickets_of_28d, 0.0)


@feature(unit="ticket", window="28d", null="never")
def tickets_urgent_28d(tickets_urgent_of_28d: Expr) -> Expr:
    """Urgent tickets opened in the window."""
    return ibis.coalesce(tickets_urgent_of_28d, 0.0)


@measure
def interventions_of_28d(interventions: Expr) -> Expr:
    """Interventions of the last 28 days."""
    return rows(interventions.hours_ago <= 28 * 24)


@feature(unit="intervention", window="28d", null="never")
def interventions_28d(interventions_of_28d: Expr) -> Expr:
    """Calls, discounts, trainings and the like in the window."""
    return ibis.coalesce(interventions_of_28d, 0.0)


@measure
def incident_hours_of_28d(incidents: Expr) -> Expr:
    """Hours of incidents within the last 28 days."""
    return total(incidents.hours, incidents.hours > 0.0)


@feature(unit="hour", window="28d", null="never")
def incident_hours_28d(incident_hours_of_28d: Expr) -> Expr:
    """Hours of incidents that touched everyone, the tenant's region or the tenant, within the
    window (overlapping ones add up)."""
    return ibis.coalesce(incident_hours_of_28d, 0.0)
