"""Strategies that might earn quota by pretence, and the search for the one that earns most."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulation.calendar_week import first_hour
from simulation.chance import Stream, uniforms
from simulation.disguise import Disguise, FakedDistress, Honest, Sawtooth, Split
from simulation.population import Population
from simulation.state import NEVER, State
from simulation.world import World

Rows = NDArray[np.int64]

#: Plans (by index) that three of the next smaller one replace at the same quota.
_SPLITTABLE = (1, 3)
_PARTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """One point of the search; ``kind`` is distress, sawtooth or split.

    ``strength`` (0..1) is the depth of faked distress or the swing of the sawtooth; ``severity``
    and ``quiet`` belong to distress, ``every`` to the sawtooth.
    """

    kind: str
    strength: float = 0.0
    severity: str = ""
    quiet: float = 0.0
    every: int = 2

    @property
    def label(self) -> str:
        """For people."""
        if self.kind == "distress":
            ticket = f", a ticket a week ({self.severity})" if self.severity else ""
            held = f", {self.quiet:.0%} of demand held back" if self.quiet else ""
            return f"faked distress {self.strength:.0%}{ticket}{held}"
        if self.kind == "sawtooth":
            return f"sawtooth of {self.every} weeks, {self.strength:.0%} moved"
        return f"split into {_PARTS} smaller accounts"

    def neighbours(self) -> list[Strategy]:
        """Points near this one, to look further where it earns most."""
        if self.kind == "split":
            return []
        nearer = [s for s in (self.strength - 0.15, self.strength + 0.15) if 0.0 < s <= 1.0]
        found = [replace(self, strength=round(s, 2)) for s in nearer]
        if self.kind == "sawtooth":
            return [*found, replace(self, every=self.every + 1)]
        return [*found, replace(self, quiet=round(self.quiet + 0.15, 2))]


#: Where the search begins.
OPENINGS = (
    Strategy(kind="distress", strength=0.9),
    Strategy(kind="distress", strength=0.9, severity="normal"),
    Strategy(kind="distress", strength=0.6, severity="urgent", quiet=0.2),
    Strategy(kind="sawtooth", strength=0.3),
    Strategy(kind="sawtooth", strength=0.6),
    Strategy(kind="sawtooth", strength=0.4, every=4),
    Strategy(kind="split"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What one strategy earned: more requests served than by honest play, percent of quota."""

    strategy: Strategy
    gain_percent: float


def best_response(
    gain_percent: Callable[[Strategy], float],
    openings: Sequence[Strategy] = OPENINGS,
    rounds: int = 1,
) -> list[Response]:
    """Search from ``openings`` and around the best point of each round; the best comes first."""
    found: dict[Strategy, float] = {}

    def ask(strategies: Iterable[Strategy]) -> None:
        for each in strategies:
            if each not in found:
                found[each] = gain_percent(each)

    ask(openings)
    for _ in range(rounds):
        ask(max(found, key=lambda each: found[each]).neighbours())
    order = sorted(found, key=lambda each: -found[each])
    return [Response(strategy=each, gain_percent=found[each]) for each in order]


def gamers(world: World, share: float = 0.05) -> Rows:
    """The tenants that play: a part of those that pay for a plan three smaller ones replace.

    They are here, in no organisation and without limits of their own.
    """
    people, here = world.population, world.here_now()
    count = len(here)
    plain = np.array([not org for org in people.parent_org[:count]])
    fit = here & plain & (people.custom_scale[:count] == 1.0)
    fit &= np.isin(world.state.plan[:count], _SPLITTABLE)
    fit &= people.contract_percent[:count] == 70
    u = uniforms(world.setup.seed, Stream.GAMING, 0, count)[:, 0]
    wanted = max(1, round(share * int(here.sum())))
    chosen = np.flatnonzero(fit)[np.argsort(u[fit], kind="stable")[:wanted]]
    return np.sort(chosen)


def disguised(world: World, rows: Rows, strategy: Strategy | None) -> Disguise:
    """Let ``rows`` of ``world`` play ``strategy`` (None: honestly) from now on; changes the world.

    Nobody else arrives any more, so that all strategies meet the same others.
    """
    _close(world)
    disguise: Disguise
    if strategy is None:
        disguise = Honest(rows=rows)
    elif strategy.kind == "distress":
        disguise = FakedDistress(
            rows=rows, depth=strategy.strength, severity=strategy.severity, quiet=strategy.quiet
        )
    elif strategy.kind == "sawtooth":
        disguise = Sawtooth(rows=rows, swing=strategy.strength, every=strategy.every)
    elif strategy.kind == "split":
        disguise = _split(world, rows)
    else:
        raise ValueError(f"no strategy of kind {strategy.kind!r}")
    world.disguise = disguise
    return disguise


def _close(world: World) -> None:
    count = world.population.arrived(first_hour(world.week))
    _take(world, np.arange(count))


def _split(world: World, rows: Rows) -> Split:
    size = world.population.size
    copies = np.repeat(rows, _PARTS - 1)
    _take(world, np.concatenate([np.arange(size), copies]))
    people, state = world.population, world.state
    new = np.arange(size, people.size)
    start = first_hour(world.week)
    for number, row in enumerate(new):
        people.tenant_id[row] = f"ent_9{number:05d}"
    people.created_hour[new] = start - 1
    people.first_plan[new] -= 1
    people.term_contract[new] = False
    state.plan[new] -= 1
    state.plan_hour[new] = start - 1
    state.renewal_hour[new] = NEVER
    state.upgraded_hour[new] = -NEVER
    state.arm[new] = 100
    state.urgent_until[new] = -NEVER
    parts = [
        np.concatenate([[row], new[(_PARTS - 1) * i : (_PARTS - 1) * (i + 1)]])
        for i, row in enumerate(rows)
    ]
    return Split(rows=np.concatenate([rows, new]), parts=parts, start_week=world.week)


def _take(world: World, index: Rows) -> None:
    """Keep (or repeat) rows of everything that is kept a row a tenant."""
    people = world.population
    held: dict[str, Any] = {
        f.name: [getattr(people, f.name)[i] for i in index]
        if isinstance(getattr(people, f.name), list)
        else getattr(people, f.name)[index]
        for f in fields(Population)
    }
    world.population = Population(**held)
    world.state = State(**{f.name: getattr(world.state, f.name)[index] for f in fields(State)})
