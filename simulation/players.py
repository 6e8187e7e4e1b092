"""Policies that the simulator plays by itself: static, constant arms, and two oracles."""

from __future__ import annotations

from collections import deque
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from simulation.bounds import OVERDRAFT_WINDOW, offered_within_share, permitted, within_share
from simulation.chance import Stream, uniforms
from simulation.exploration import ARMS, NEUTRAL, by_organisation
from simulation.foresight import arm_values
from simulation.world import World

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

#: Minor dollars below which nothing is worth leaving 100 for.
_LEAST = 1e-9


class Player(Protocol):
    """Chooses every tenant's arm at the start of each week."""

    def choose(self, world: World) -> dict[str, int]:
        """Arm in hundredths by tenant; who is missing gets 100."""
        ...


class Static:
    """Everybody at 100, always."""

    def choose(self, world: World) -> dict[str, int]:
        """Nobody is named."""
        del world
        return {}


class Script:
    """Arms decided before, week by week."""

    def __init__(self, weeks: list[dict[str, int]]) -> None:
        self._weeks = iter(weeks)

    def choose(self, world: World) -> dict[str, int]:
        """The next week's."""
        del world
        return next(self._weeks, {})


class _Overdrafts:
    """In how many of the last weeks each tenant was above 100."""

    def __init__(self, size: int) -> None:
        self._weeks: deque[Ints] = deque(maxlen=OVERDRAFT_WINDOW - 1)
        self._size = size

    def counts(self) -> Ints:
        return sum(self._weeks, np.zeros(self._size, dtype=np.int64))

    def add(self, arm: Ints) -> None:
        week = np.zeros(self._size, dtype=np.int64)
        week[: len(arm)] = arm > NEUTRAL
        self._weeks.append(week)


class Constant:
    """One arm for everybody, as near to it as guardrails allow."""

    def __init__(self, arm: int) -> None:
        if arm not in ARMS:
            raise ValueError(f"no arm {arm}; take one of {', '.join(map(str, ARMS))}")
        self._arm = arm
        self._overdrafts: _Overdrafts | None = None

    def choose(self, world: World) -> dict[str, int]:
        """The permitted arm on the same side that is nearest to the one wanted."""
        self._overdrafts = self._overdrafts or _Overdrafts(world.population.size)
        here = world.here_now()
        allowed = permitted(world, len(here), self._overdrafts.counts())
        low, high = sorted((self._arm, NEUTRAL))
        arms = np.array(ARMS)
        allowed &= ((arms >= low) & (arms <= high))[None, :]
        distance = np.where(allowed, np.abs(arms - self._arm)[None, :], 1_000)
        arm = np.where(here, arms[np.argmin(distance, axis=1)], NEUTRAL)
        segment = world.population.segment[: len(here)]
        arm = within_share(arm, np.zeros(len(arm)), segment, here)
        self._overdrafts.add(arm)
        return named(world, arm)


class Oracle:
    """Knows every tenant's true response, this week's demand included; bound as anybody is."""

    def __init__(self) -> None:
        self._overdrafts: _Overdrafts | None = None

    def choose(self, world: World) -> dict[str, int]:
        """The permitted arm of the highest true value, 100 unless that is above 0."""
        self._overdrafts = self._overdrafts or _Overdrafts(world.population.size)
        seen = world.foresight()
        here = seen.here
        allowed = permitted(world, len(here), self._overdrafts.counts())
        best, worth = _best(allowed, arm_values(world, seen))
        arm = np.where(here, np.array(ARMS)[best], NEUTRAL)
        arm = within_share(arm, worth, world.population.segment[: len(here)], here)
        self._overdrafts.add(arm)
        return named(world, arm)


class ExploringOracle:
    """An oracle that also explores and holds out, week after week, as the product has to.

    Parameters
    ----------
    epsilon:
        Chance of each offered arm that is not its choice, 0..1.
    holdout:
        Share of organisations that are kept at 100 for good, 0..1.
    """

    def __init__(self, epsilon: float, holdout: float) -> None:
        self._epsilon, self._holdout = epsilon, holdout
        self._overdrafts: _Overdrafts | None = None

    def choose(self, world: World) -> dict[str, int]:
        """A draw around the permitted arm of the highest true value."""
        self._overdrafts = self._overdrafts or _Overdrafts(world.population.size)
        seen = world.foresight()
        here, count = seen.here, len(seen.here)
        held = self._uniforms(world, 0, count) < self._holdout
        offered = permitted(world, count, self._overdrafts.counts())
        offered &= (here & ~held)[:, None] | (np.array(ARMS) == NEUTRAL)[None, :]
        value = arm_values(world, seen)
        best, worth = _best(offered, value)
        # Places go to friction that is chosen, by worth; to what is only explored last.
        claim = np.where(best < ARMS.index(NEUTRAL), worth, -1.0)
        offered = offered_within_share(offered, claim, world.population.segment[:count], here)
        choice = _best(offered, value)[0]
        chance = np.minimum(self._epsilon, 1.0 / offered.sum(axis=1))[:, None] * offered
        chance[np.arange(count), choice] += 1.0 - chance.sum(axis=1)
        reached = np.cumsum(chance, axis=1)
        u = self._uniforms(world, world.week, count)
        drawn = np.minimum((u[:, None] >= reached).sum(axis=1), len(ARMS) - 1)
        # A sum may end a rounding error below 1.
        drawn = np.where(chance[np.arange(count), drawn] > 0.0, drawn, choice)
        arm = np.array(ARMS)[drawn]
        self._overdrafts.add(arm)
        return named(world, arm)

    def _uniforms(self, world: World, week: int, count: int) -> NDArray[np.float64]:
        """One number a tenant in one week, the same for all of an organisation."""
        u = uniforms(world.setup.seed, Stream.ORACLE, week, count)[:, 0]
        return by_organisation(u, world.population.parent_org[:count])


def _best(offered: NDArray[np.bool_], value: NDArray[np.float64]) -> tuple[Ints, Floats]:
    """Column and worth of the offered arm of the highest value; 100 unless that is above 0."""
    left = np.where(offered, value, -np.inf)
    best = np.argmax(left, axis=1)
    worth = left[np.arange(len(best)), best]
    return np.where(worth > _LEAST, best, ARMS.index(NEUTRAL)), np.maximum(worth, 0.0)


def named(world: World, arm: Ints) -> dict[str, int]:
    """Arms other than 100 by tenant."""
    ids = world.population.tenant_id
    return {ids[row]: int(arm[row]) for row in np.flatnonzero(arm != NEUTRAL)}


def player_named(name: str, *, epsilon: float = 0.05, holdout: float = 0.1) -> Player | None:
    """``static``, ``oracle``, ``exploring_oracle`` or ``constant_85``; None if it is not ours.

    ``epsilon`` and ``holdout`` are the experiment's, for who explores.

    Raises
    ------
    ValueError
        A constant arm that there is not.
    """
    if name == "static":
        return Static()
    if name == "oracle":
        return Oracle()
    if name == "exploring_oracle":
        return ExploringOracle(epsilon, holdout)
    if name.startswith("constant_"):
        text = name.removeprefix("constant_")
        return Constant(int(text) if text.isdigit() else 0)
    return None
