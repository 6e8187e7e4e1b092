"""Tickets, calls by customer success, and incidents of a week."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulation.calendar_week import HOURS, first_hour
from simulation.catalogue import REGIONS
from simulation.chance import Stream, poisson_at, uniforms

SEVERITIES = ("low", "normal", "urgent")
KINDS = ("call", "training", "discount")


@dataclass(frozen=True, slots=True)
class Ticket:
    """One support ticket; ``closed_hour`` is drawn at once and told only when it has come."""

    id: str
    row: int
    opened_hour: int
    closed_hour: int
    severity: str


@dataclass(frozen=True, slots=True)
class Incident:
    """One outage: demand that could not be made in ``[from_hour, to_hour)`` within ``scope``."""

    id: str
    from_hour: int
    to_hour: int
    scope: str


def tickets(
    seed: int,
    week: int,
    health: NDArray[np.float64],
    felt: NDArray[np.float64],
    here: NDArray[np.bool_],
) -> list[Ticket]:
    """Tickets opened this week: more in poor health and under felt friction."""
    u = uniforms(seed, Stream.TICKET, week, len(health), 7)
    rate = np.where(here, 0.06 * np.exp(-0.7 * health) + 0.5 * felt, 0.0)
    count = np.minimum(poisson_at(rate, u[:, 0]), 2)
    found = []
    for row in np.flatnonzero(count):
        for number in range(int(count[row])):
            when, grade, long = u[row, 1 + 3 * number : 4 + 3 * number]
            opened = first_hour(week) + int(when * HOURS)
            severity = SEVERITIES[int(np.searchsorted([0.45, 0.88], grade))]
            closed = opened + 2 + int(140 * long**2)
            found.append(Ticket(f"tk-{row}-{week}-{number}", int(row), opened, closed, severity))
    return found


def interventions(
    seed: int,
    week: int,
    health: NDArray[np.float64],
    here: NDArray[np.bool_],
    rescue: NDArray[np.float64] | float = 0.0,
) -> list[tuple[int, int, str]]:
    """Calls, trainings and discounts as (row, hour, kind); rather to tenants in poor health.

    ``rescue`` is the probability of one more, per tenant.
    """
    u = uniforms(seed, Stream.INTERVENTION, week, len(health), 3)
    chosen = here & (u[:, 0] < 0.015 / (1.0 + np.exp(1.5 * health + 1.0)) * 3.0 + rescue)
    return [
        (int(row), first_hour(week) + int(u[row, 1] * HOURS), KINDS[int(u[row, 2] * 3)])
        for row in np.flatnonzero(chosen)
    ]


def written_down(
    seed: int, week: int, calls: list[tuple[int, int, str]], unlogged: float
) -> list[tuple[int, int, str]]:
    """The interventions that somebody logs; the share ``unlogged`` of them nobody does."""
    if unlogged <= 0.0 or not calls:
        return calls
    u = uniforms(seed, Stream.RECORDING, week, max(row for row, _, _ in calls) + 1)[:, 0]
    return [call for call in calls if u[call[0]] >= unlogged]


def incident(seed: int, week: int) -> Incident | None:
    """About one incident in five weeks, one to six hours long, everywhere or in one region."""
    u = uniforms(seed, Stream.INCIDENT, week, 1, 4)[0]
    if u[0] > 0.2:
        return None
    start = first_hour(week) + int(u[1] * (HOURS - 6))
    scope = "all" if u[3] < 0.3 else tuple(REGIONS)[int((u[3] - 0.3) / 0.7 * len(REGIONS))]
    return Incident(f"inc-{week}", start, start + 1 + int(u[2] * 6), scope)
