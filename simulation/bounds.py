"""The guardrails as a vendor states them, for players of the simulator's own, and as a judge."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulation.calendar_week import HOURS, first_hour
from simulation.exploration import ARMS, NEUTRAL, STEP, offered_arms
from simulation.state import contract_percent
from simulation.world import World

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

#: Largest share of a segment's tenants under friction at once.
FRICTION_SHARE = 0.5
#: Weeks above 100 that a tenant may have among so many weeks.
OVERDRAFT_WEEKS, OVERDRAFT_WINDOW = 6, 13

_NEWCOMER_HOURS = 30 * 24
_RENEWAL_HOURS = 60 * 24
_SETTLING_HOURS = 28 * 24


def protected(world: World, count: int) -> dict[str, Bools]:
    """Who must not be tightened this week and why, each ``[count]``."""
    start = first_hour(world.week)
    people, state = world.population, world.state
    due = state.renewal_hour[:count] - start
    return {
        "newcomer": start - people.created_hour[:count] < _NEWCOMER_HOURS,
        "renewal": (due >= 0) & (due < _RENEWAL_HOURS),
        "urgent_ticket": state.urgent_until[:count] > start,
    }


def permitted(world: World, count: int, overdrafts: Ints) -> Bools:
    """Arms that every rule leaves, ``[count, 5]``; ``overdrafts`` are weeks above 100 so far."""
    people, state = world.population, world.state
    gentle = np.any(list(protected(world, count).values()), axis=0)
    settled = first_hour(world.week) - state.upgraded_hour[:count] < _SETTLING_HOURS
    promised = contract_percent(people, state.plan[:count])
    allowed = offered_arms(promised, state.arm[:count], gentle, settled)
    spent = overdrafts[:count] >= OVERDRAFT_WEEKS
    allowed &= ~(spent[:, None] & (np.array(ARMS) > NEUTRAL)[None, :])
    return allowed


def within_share(arm: Ints, worth: NDArray[np.float64], segment: Ints, here: Bools) -> Ints:
    """``arm`` with friction lifted where a segment has too much of it; the best worth keeps it."""
    result = arm.copy()
    for each in np.unique(segment):
        inside = here & (segment == each)
        tight = np.flatnonzero(inside & (arm < NEUTRAL))
        room = int(inside.sum() * FRICTION_SHARE)
        order = tight[np.argsort(-worth[tight], kind="stable")]
        result[order[room:]] = NEUTRAL
    return result


def offered_within_share(
    offered: Bools, worth: NDArray[np.float64], segment: Ints, here: Bools
) -> Bools:
    """``offered`` ``[n, 5]`` without friction where a segment could have too much of it.

    Whoever is offered an arm below 100 takes a place, whatever is drawn; the best worth gets one.
    """
    tight = (offered & (np.array(ARMS) < NEUTRAL)[None, :]).any(axis=1)
    kept = within_share(np.where(tight, ARMS[0], NEUTRAL), worth, segment, here)
    lost = tight & (kept == NEUTRAL)
    left: Bools = offered & ~(lost[:, None] & (np.array(ARMS) < NEUTRAL)[None, :])
    return left


def violations(world: World, arm: Ints, before: Ints) -> dict[str, int]:
    """How many tenants' arms break a rule this week; ``before`` are last week's arms."""
    count = len(arm)
    start = first_hour(world.week)
    people, state = world.population, world.state
    here = (people.created_hour[:count] < start) & (state.gone_hour[:count] > start)
    tight = here & (arm < NEUTRAL)
    side = np.sign(arm - NEUTRAL) == np.sign(before - NEUTRAL)
    steady = state.plan_hour[:count] < start - HOURS
    far = np.abs(arm - NEUTRAL) > np.where(side, np.abs(before - NEUTRAL), 0) + STEP
    found = {
        "below_contract": tight & (arm < contract_percent(people, state.plan[:count])),
        "step": here & steady & far,
        **{name: tight & held for name, held in protected(world, count).items()},
    }
    return {name: int(rows.sum()) for name, rows in found.items()}
