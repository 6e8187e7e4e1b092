"""Policies that the simulator plays by itself: static, constant arms, and the oracle."""

from __future__ import annotations

from collections import deque
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from simulation.bounds import OVERDRAFT_WINDOW, permitted, within_share
from simulation.exploration import ARMS, NEUTRAL
from simulation.foresight import arm_values
from simulation.world import World

Ints = NDArray[np.int64]


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
        value = np.where(allowed, arm_values(world, seen), -np.inf)
        best = np.argmax(value, axis=1)
        worth = value[np.arange(len(best)), best]
        arm = np.where(here & (worth > 1e-9), np.array(ARMS)[best], NEUTRAL)
        arm = within_share(arm, worth, world.population.segment[: len(here)], here)
        self._overdrafts.add(arm)
        return named(world, arm)


def named(world: World, arm: Ints) -> dict[str, int]:
    """Arms other than 100 by tenant."""
    ids = world.population.tenant_id
    return {ids[row]: int(arm[row]) for row in np.flatnonzero(arm != NEUTRAL)}


def player_named(name: str) -> Player | None:
    """``static``, ``oracle`` or ``constant_85``; None if it is not one of ours.

    Raises
    ------
    ValueError
        A constant arm that there is not.
    """
    if name == "static":
        return Static()
    if name == "oracle":
        return Oracle()
    if name.startswith("constant_"):
        text = name.removeprefix("constant_")
        return Constant(int(text) if text.isdigit() else 0)
    return None
