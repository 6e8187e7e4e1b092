"""Playing a world under a policy, and the record that figures are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulation.bounds import violations
from simulation.calendar_week import HOURS, first_hour
from simulation.exploration import NEUTRAL
from simulation.money import (
    MARGIN,
    MONTHS_PER_WEEK,
    SUPPORT_MINOR,
    UNIT_MINOR,
    lasting_months,
    mrr_dollars,
)
from simulation.players import Player, Script
from simulation.response import CHURN
from simulation.state import NEVER
from simulation.week import Week
from simulation.world import World

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: What follows the last week is worth so many weeks of its revenue, at a usual rate of leaving.
RUN_OFF_WEEKS = 26
_USUAL_CHURN = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """A life under one policy; arrays ``[weeks, n]`` over all tenants who ever come.

    ``arm`` is 100 where a tenant is not here, ``outcome`` is -1 for none; ``earned`` is margin
    less unit and support costs of the week in minor dollars. ``run_off`` ``[n]`` is what the
    revenue at the end is worth further on, ``first_mrr`` and ``last_mrr`` the monthly revenue at
    both ends. ``broken`` counts guardrail violations by rule.
    """

    arm: Ints
    here: NDArray[np.bool_]
    outcome: Ints
    earned: Floats
    run_off: Floats
    first_mrr: Floats
    last_mrr: Floats
    segment: Ints
    broken: dict[str, int]

    @property
    def value(self) -> Floats:
        """Minor dollars by tenant ``[n]``: what was earned and what is left."""
        result: Floats = self.earned.sum(axis=0) + self.run_off
        return result

    def arms_by_week(self, ids: list[str], at_least: int = 0) -> list[dict[str, int]]:
        """The arms as a script, none of them below ``at_least``."""
        weeks = []
        for row in self.arm:
            arm = np.maximum(row, at_least)
            moved = np.flatnonzero(arm != NEUTRAL)
            weeks.append({ids[i]: int(arm[i]) for i in moved})
        return weeks


def play(
    world: World, player: Player, weeks: int, hear: Callable[[World, Week], None] | None = None
) -> Played:
    """Live ``weeks`` weeks of ``world`` (which moves on) under ``player``.

    ``hear`` is told each week after it has been lived.
    """
    size = world.population.size
    arm = np.full((weeks, size), NEUTRAL, dtype=np.int64)
    here = np.zeros((weeks, size), dtype=np.bool_)
    outcome = np.full((weeks, size), -1, dtype=np.int64)
    earned = np.zeros((weeks, size))
    broken: dict[str, int] = {}
    first = _mrr(world)
    before = world.state.arm.copy()
    for number in range(weeks):
        arms = player.choose(world)
        given = np.array([arms.get(t, NEUTRAL) for t in world.population.tenant_id], np.int64)
        for name, count in violations(world, given, before).items():
            broken[name] = broken.get(name, 0) + count
        week = world.step(arms, brief=hear is None)
        count = len(week.arm)
        arm[number, :count], here[number, :count] = week.arm, week.here
        outcome[number, :count] = week.outcome
        earned[number, :count] = _earned(world, week)
        before = arm[number]
        if hear is not None:
            hear(world, week)
    last = _mrr(world)
    keeps = lasting_months(np.array([_USUAL_CHURN]), RUN_OFF_WEEKS)[0]
    return Played(
        arm=arm,
        here=here,
        outcome=outcome,
        earned=earned,
        run_off=last * MARGIN * keeps,
        first_mrr=first,
        last_mrr=last,
        segment=world.population.segment,
        broken=broken,
    )


def friction_free(world: World, played: Played) -> Played:
    """The same tenants in a parallel state: every friction of ``played`` lifted to 100."""
    if not (played.arm < NEUTRAL).any():
        return played
    script = played.arms_by_week(world.population.tenant_id, at_least=NEUTRAL)
    return play(world, Script(script), len(script))


def _mrr(world: World) -> Floats:
    """Monthly revenue of who is here now, in minor dollars, ``[n]``."""
    now = first_hour(world.week)
    people, state = world.population, world.state
    present = (people.created_hour < now) & (state.gone_hour >= NEVER)
    return np.where(present, mrr_dollars(people, state.plan), 0.0)


def _earned(world: World, week: Week) -> Floats:
    people, count = world.population, len(week.arm)
    start = first_hour(week.week)
    until = np.clip(week.outcome_hour - start, 0, HOURS) / HOURS
    since = np.clip(people.created_hour[:count] - start, 0, HOURS) / HOURS
    present = week.here | (people.created_hour[:count] >= start)
    after = np.where(week.outcome == CHURN, 0.0, mrr_dollars(people, week.plan_after))
    old = mrr_dollars(people, week.plan_before)
    mrr = np.where(present, old * (until - since) + after * (1.0 - until), 0.0)
    served = (week.demand - week.refused).sum(axis=1)
    contacts = np.bincount([t.row for t in week.tickets], minlength=count)[:count]
    result: Floats = mrr * MARGIN * MONTHS_PER_WEEK - served * UNIT_MINOR - contacts * SUPPORT_MINOR
    return result
