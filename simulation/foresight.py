"""What an arm is truly worth: this week's outcomes, and what friction leaves for later ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from simulation.calendar_week import HOURS, first_hour
from simulation.exploration import ARMS, NEUTRAL
from simulation.money import MARGIN, SUPPORT_MINOR, UNIT_MINOR, lasting_months, mrr_dollars
from simulation.response import CHURN, DOWNGRADE, UPGRADE, Situation, probabilities
from simulation.world import Foresight, World

Floats = NDArray[np.float64]

#: Weeks over which an arm's consequences are followed: any term ends within them.
_AHEAD_WEEKS = 52
_TOP = 3
_TICKETS_PER_SHARE = 0.5


def arm_values(world: World, seen: Foresight) -> Floats:
    """True value of each arm against 100 in minor dollars, ``[n, 5]``; the rest of life at 100.

    Later weeks differ only by what tenants remember; growth and health stay as they are.
    """
    chances = [_chances(world, seen, column) for column in range(len(ARMS))]
    neutral = chances[ARMS.index(NEUTRAL)]
    price = _prices(world, seen, neutral[0])
    values = []
    for column, path in enumerate(chances):
        more = (path - neutral).sum(axis=0)
        extra = seen.served[:, column] - seen.served[:, ARMS.index(NEUTRAL)]
        worse = seen.felt[:, column] - seen.felt[:, ARMS.index(NEUTRAL)]
        cost = extra * UNIT_MINOR + _TICKETS_PER_SHARE * worse * SUPPORT_MINOR
        values.append((more * price).sum(axis=1) - cost)
    return np.stack(values, axis=1)


def _chances(world: World, seen: Foresight, column: int) -> Floats:
    """Chances of outcomes this week under one arm and in the weeks after it, ``[weeks, n, 3]``."""
    rates = world.family.rates
    neutral = seen.felt[:, ARMS.index(NEUTRAL)]
    felt = seen.felt[:, column]
    path = [probabilities(rates(seen.situation, felt))]
    due = world.state.renewal_hour[: len(felt)]
    memory = seen.situation.memory.after(felt, seen.situation.renewal_due)
    for ahead in range(1, _AHEAD_WEEKS):
        start = first_hour(world.week + ahead)
        renews = (due >= start) & (due < start + HOURS)
        later: Situation = replace(seen.situation, memory=memory, renewal_due=renews)
        path.append(probabilities(rates(later, neutral)))
        memory = memory.after(neutral, renews)
    return np.stack(path)


def _prices(world: World, seen: Foresight, natural: Floats) -> Floats:
    """What one more outcome of each kind earns, ``[n, 3]``; lost revenue is negative."""
    count = len(seen.here)
    plan = world.state.plan[:count]
    now = mrr_dollars(world.population, plan)
    above = mrr_dollars(world.population, np.minimum(plan + 1, _TOP))
    below = mrr_dollars(world.population, np.maximum(plan - 1, 0))
    stay = lasting_months(natural[:, CHURN])
    either = lasting_months(natural[:, CHURN] + natural[:, UPGRADE])
    price = np.zeros((count, 3))
    price[:, UPGRADE] = (above - now) * MARGIN * either
    price[:, DOWNGRADE] = (below - now) * MARGIN * stay
    price[:, CHURN] = -now * MARGIN * stay
    return price
