"""What a world remembers from week to week, and how it is kept on disk (no pickle)."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simulation.catalogue import EURO_RATE, PLANS, REGION_CURRENCY, REGIONS
from simulation.memory import Memory
from simulation.population import Population

_REQUESTS = np.array([plan.requests_per_hour for plan in PLANS])
_PRICES = np.array([plan.price_minor for plan in PLANS])
_EURO = np.array([REGION_CURRENCY[region] == "EUR" for region in REGIONS])

#: Hours in a contract's term.
TERM_HOURS = 365 * 24
NEVER = 2**40


@dataclass(slots=True, kw_only=True)
class State:
    """One row a tenant, arrays of shape ``[n]``; ``level`` is log usual peak over the first base.

    ``gone_hour`` is when the tenant left (NEVER while here), ``plan_hour`` when its plan began,
    ``renewal_hour`` the end of its term (NEVER without one), ``arm`` the last arm in hundredths;
    ``urgent_until`` is when the last urgent ticket closes. ``grievance`` to ``weariness`` are the
    tenants' memory of friction (:class:`simulation.memory.Memory`).
    """

    plan: NDArray[np.int64]
    plan_hour: NDArray[np.int64]
    upgraded_hour: NDArray[np.int64]
    renewal_hour: NDArray[np.int64]
    gone_hour: NDArray[np.int64]
    arm: NDArray[np.int64]
    seats: NDArray[np.int64]
    level: NDArray[np.float64]
    momentum: NDArray[np.float64]
    health: NDArray[np.float64]
    grievance: NDArray[np.float64]
    toll: NDArray[np.float64]
    onset: NDArray[np.float64]
    delayed: NDArray[np.float64]
    weariness: NDArray[np.float64]
    urgent_until: NDArray[np.int64]
    open_tickets: NDArray[np.float64]
    helped: NDArray[np.float64]
    storage: NDArray[np.float64]

    def memory(self, count: int) -> Memory:
        """What friction left with the first ``count`` tenants."""
        return Memory(**{f.name: getattr(self, f.name)[:count] for f in fields(Memory)})

    def remember(self, memory: Memory) -> None:
        """Put the memory of the first tenants back."""
        for f in fields(Memory):
            held = getattr(memory, f.name)
            getattr(self, f.name)[: len(held)] = held

    def copy(self) -> State:
        """A copy that shares nothing."""
        return State(**{f.name: getattr(self, f.name).copy() for f in fields(self)})

    def save(self, path: Path) -> None:
        """Write all arrays to one ``.npz``."""
        np.savez_compressed(path, **{f.name: getattr(self, f.name) for f in fields(self)})

    @staticmethod
    def load(path: Path) -> State:
        """Read what :meth:`save` wrote; ValueError if an older version did."""
        with np.load(path, allow_pickle=False) as held:
            lacking = [f.name for f in fields(State) if f.name not in held]
            if lacking:
                raise ValueError(f"{path} is of an older version: no {lacking[0]}. Write it anew.")
            return State(**{f.name: held[f.name] for f in fields(State)})


def beginning(population: Population, start_hour: int) -> State:
    """Everybody on the first plan, in neutral health, at m = 1."""
    size = population.size
    created = population.created_hour
    # Terms count from creation; the next end lies after both the start and the creation.
    passed = np.maximum(0, (start_hour - created) // TERM_HOURS) + 1
    renewal = np.where(population.term_contract, created + passed * TERM_HOURS, NEVER)
    plan = population.first_plan.copy()
    stored = np.array([p.storage_bytes for p in PLANS])[plan]
    return State(
        plan=plan,
        plan_hour=created.copy(),
        upgraded_hour=np.full(size, -NEVER, dtype=np.int64),
        renewal_hour=renewal.astype(np.int64),
        gone_hour=np.full(size, NEVER, dtype=np.int64),
        arm=np.full(size, 100, dtype=np.int64),
        seats=population.seats.copy(),
        level=population.first_level.copy(),
        momentum=np.zeros(size),
        health=-0.3 * population.fragility,
        grievance=np.zeros(size),
        toll=np.zeros(size),
        onset=np.zeros(size),
        delayed=np.zeros(size),
        weariness=np.zeros(size),
        urgent_until=np.full(size, -NEVER, dtype=np.int64),
        open_tickets=np.zeros(size),
        helped=np.zeros(size),
        storage=0.4 * stored * np.exp(0.5 * population.first_level),
    )


def base_limit(
    population: Population, plan: NDArray[np.int64], first: int = 0
) -> NDArray[np.int64]:
    """Requests an hour on ``plan``, a tenant's own limit where it negotiated one.

    ``plan`` holds the plans of the tenants from row ``first`` on.
    """
    rows = slice(first, first + len(plan))
    own = np.where(plan == population.first_plan[rows], population.custom_scale[rows], 1.0)
    result: NDArray[np.int64] = np.round(_REQUESTS[plan] * own).astype(np.int64)
    return result


def contract_percent(
    population: Population, plan: NDArray[np.int64], first: int = 0
) -> NDArray[np.int64]:
    """What was promised, in hundredths of the base limit; a new plan promises 70."""
    rows = slice(first, first + len(plan))
    same = plan == population.first_plan[rows]
    return np.where(same, population.contract_percent[rows], 70)


def mrr_minor(population: Population, plan: NDArray[np.int64], first: int = 0) -> NDArray[np.int64]:
    """Monthly recurring revenue in minor units of the account's currency."""
    rows = slice(first, first + len(plan))
    scale = base_limit(population, plan, first) / _REQUESTS[plan]
    price = _PRICES[plan] * scale * (1.0 - population.discount[rows])
    price = np.where(_EURO[population.region[rows]], price / EURO_RATE, price)
    result: NDArray[np.int64] = np.round(price / 100.0).astype(np.int64) * 100
    return result


def usual_peak(population: Population, state: State, count: int, hour: int) -> NDArray[np.float64]:
    """Requests in a usual busy hour of the first ``count`` tenants; newcomers start small."""
    base = base_limit(population, population.first_plan[:count])
    age_weeks = np.maximum(0, hour - population.created_hour[:count]) / 168.0
    ramp = 1.0 - 0.7 * np.exp(-age_weeks / 4.0)
    result: NDArray[np.float64] = base * np.exp(state.level[:count]) * ramp
    return result
