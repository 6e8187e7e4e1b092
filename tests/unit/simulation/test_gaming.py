from __future__ import annotations

import numpy as np
import pytest

from simulation.disguise import Disguise, quota_of, served_of
from simulation.players import Static
from simulation.playing import play
from simulation.response import DOWNGRADE
from simulation.state import base_limit
from simulation.strategies import OPENINGS, Strategy, best_response, disguised, gamers
from simulation.week import Setup, Week
from simulation.world import World

WEEKS = 4


@pytest.fixture(scope="module")
def world() -> World:
    lived = World.begin(Setup(tenants=400, weeks=6, seed=5, family="habit", start_week=2_916))
    for _ in range(6):
        lived.step()
    return lived


def _lived(world: World, strategy: Strategy | None) -> tuple[World, Disguise, list[Week]]:
    fork = world.fork()
    disguise = disguised(fork, gamers(world), strategy)
    weeks: list[Week] = []
    play(fork, Static(), WEEKS, lambda _, week: weeks.append(week))
    return fork, disguise, weeks


def _asked(weeks: list[Week], rows: np.ndarray) -> float:
    return sum(float(week.demand[rows].sum()) for week in weeks)


def test_who_plays_pays_for_a_plan_that_three_smaller_ones_replace(world: World) -> None:
    rows = gamers(world)
    assert len(rows) >= 5
    assert set(world.state.plan[rows]) <= {1, 3}
    assert (gamers(world) == rows).all()


def test_faked_distress_hides_engagement_and_changes_nobody_else(world: World) -> None:
    _, _, honest = _lived(world, None)
    _, disguise, faked = _lived(world, Strategy(kind="distress", strength=0.9, severity="normal"))
    rows = disguise.rows
    others = np.setdiff1d(np.arange(len(honest[0].arm)), rows)
    for told, shown in zip(honest, faked, strict=True):
        assert shown.activity["lo"][rows].sum() < 0.2 * told.activity["lo"][rows].sum()
        assert (shown.activity["lo"][others] == told.activity["lo"][others]).all()
        assert (shown.demand == told.demand).all()
        assert (shown.outcome[others] == told.outcome[others]).all()
        fakes = {ticket.row for ticket in shown.tickets if ticket.id.startswith("fake")}
        assert fakes == set(rows.tolist())
    assert all((week.outcome[rows] == -1).all() for week in (*honest, *faked))


def test_a_sawtooth_moves_demand_between_weeks_and_keeps_its_sum(world: World) -> None:
    fork = world.fork()
    disguise = disguised(fork, gamers(world), Strategy(kind="sawtooth", strength=0.5))
    flat = np.full((fork.population.size, 168), 100.0)
    low, high = (disguise.demand(week, flat.copy()) for week in (2_000, 2_001))
    assert low[disguise.rows].sum() < high[disguise.rows].sum()
    assert (low + high == 2 * flat).all()


def test_a_split_shares_demand_among_accounts_of_the_same_quota_together(world: World) -> None:
    honest_world, honest, told = _lived(world, None)
    split_world, split, shown = _lived(world, Strategy(kind="split"))
    rows = honest.rows
    assert len(split.rows) == 3 * len(rows)
    assert _asked(shown, split.rows) == pytest.approx(_asked(told, rows), rel=1e-3)
    assert (shown[0].outcome[rows] == DOWNGRADE).all()
    quota = quota_of(base_limit(honest_world.population, told[-1].plan_after), honest)
    parts = quota_of(base_limit(split_world.population, shown[-1].plan_after), split)
    assert parts == quota
    # The evening out of bursts aside, three small limits let through what one large one does.
    served = [
        sum(served_of(who, week.demand, week.refused) for week in weeks[1:])
        for who, weeks in ((honest, told), (split, shown))
    ]
    assert served[1] == pytest.approx(served[0], rel=0.01)


def test_the_search_goes_on_around_the_best_and_names_it_first() -> None:
    asked: list[Strategy] = []

    def gain(strategy: Strategy) -> float:
        asked.append(strategy)
        return strategy.strength if strategy.kind == "sawtooth" else 0.1

    found = best_response(gain)
    assert found[0].strategy == Strategy(kind="sawtooth", strength=0.75)
    assert len(asked) == len(set(asked)) > len(OPENINGS)
    assert [each.gain_percent for each in found] == sorted(
        (each.gain_percent for each in found), reverse=True
    )
    assert len({each.strategy.label for each in found}) == len(found)
