"""How tenants respond: weekly hazards whose truth is known. What every family shares.

A family (:mod:`simulation.responses`) turns a situation and this week's blocked share into rates.
None has the form that the product's learner assumes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from simulation.memory import Memory

Floats = NDArray[np.float64]

#: Columns of hazards and of outcomes.
UPGRADE, DOWNGRADE, CHURN = 0, 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What a tenant's week depends on apart from the arm; arrays of shape ``[n]``.

    ``pressure`` is the week's 95th percentile of hourly demand over the base limit. ``memory`` is
    what friction of earlier weeks left. ``renewal_due`` is true in the week in which a term
    contract ends. ``week`` counts from the world's start.
    """

    pressure: Floats
    health: Floats
    momentum: Floats
    open_tickets: Floats
    helped: Floats
    tenure_weeks: Floats
    term_contract: NDArray[np.bool_]
    renewal_due: NDArray[np.bool_]
    top_plan: NDArray[np.bool_]
    bottom_plan: NDArray[np.bool_]
    fragility: Floats
    dependence: Floats
    intent: Floats
    segment: NDArray[np.int64]
    integrations: NDArray[np.int64]
    memory: Memory
    week: int


class Response(Protocol):
    """How a family's tenants respond."""

    def __call__(self, situation: Situation, felt: Floats, /) -> Floats:
        """Rates per week ``[n, 3]`` under ``felt``, the blocked share of this week ``[n]``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A response and what else is different in its world.

    Parameters
    ----------
    rates:
        The response.
    demand:
        Scale of everybody's demand.
    tilt:
        How strongly the vendor's own history gave friction to healthy, busy tenants; propensities
        are logged all the same. 0: all offered arms alike.
    unlogged:
        Share of customer success's interventions that nobody writes down (0..1).
    rescue:
        Probability of a call more per unit of blocked share felt lately.
    held_out:
        Whether no learner is tuned on this family; reports keep it apart.
    """

    rates: Response
    demand: float = 1.0
    tilt: float = 0.0
    unlogged: float = 0.0
    rescue: float = 0.0
    held_out: bool = False


def sigmoid(x: Floats) -> Floats:
    """1 / (1 + exp(-x))."""
    result: Floats = 1.0 / (1.0 + np.exp(-x))
    return result


def natural(s: Situation) -> Floats:
    """Rates per week that no throttle changes: upgrade, downgrade, churn."""
    upgrade = -5.9 + 2.3 * np.tanh(1.4 * (s.pressure - 0.5)) + 0.45 * s.intent + 14 * s.momentum
    upgrade += np.where(s.tenure_weeks < 6, -1.0, 0.0)
    downgrade = -5.3 - 0.8 * s.health - 1.6 * np.tanh(2.0 * (s.pressure - 0.35)) - 0.2 * s.intent
    churn = -5.85 - 1.0 * s.health + 0.45 * s.fragility + 0.5 * np.minimum(s.open_tickets, 3)
    churn += np.where(s.tenure_weeks < 26, 0.4, 0.0) - 10 * s.momentum - 0.4 * s.helped
    churn += np.where(s.term_contract, -1.0, 0.0) + np.where(s.renewal_due, 3.2, 0.0)
    rates: Floats = np.exp(np.stack([upgrade, downgrade, churn], axis=1))
    rates[s.top_plan, UPGRADE] = 0.0
    rates[s.bottom_plan, DOWNGRADE] = 0.0
    return rates


def probabilities(rates: Floats) -> Floats:
    """Probability that the week's first outcome is each kind, from competing rates ``[n, 3]``."""
    total = rates.sum(axis=1, keepdims=True)
    any_outcome = -np.expm1(-total)
    result: Floats = np.where(total > 0, rates / np.maximum(total, 1e-300), 0.0) * any_outcome
    return result


def drawn(chances: Floats, uniform: Floats) -> NDArray[np.int64]:
    """The outcome of each row by inversion, -1 for none.

    Churn lies at one end of the unit interval and upgrade at the other, so that a policy that
    lowers a tenant's churn never makes the same tenant churn instead of nothing.
    """
    up, down, churn = chances[:, UPGRADE], chances[:, DOWNGRADE], chances[:, CHURN]
    outcome = np.full(len(chances), -1, dtype=np.int64)
    outcome[uniform >= 1.0 - up - down] = DOWNGRADE
    outcome[uniform >= 1.0 - up] = UPGRADE
    outcome[uniform < churn] = CHURN
    return outcome
