from __future__ import annotations

import numpy as np
import pytest

from simulation.bounds import offered_within_share, violations, within_share
from simulation.figures import figures
from simulation.players import Constant, ExploringOracle, Oracle, Static, player_named
from simulation.playing import Played, friction_free, play
from simulation.week import Setup
from simulation.world import World

WEEKS = 10
RUNS = ("static", "oracle", "exploring_oracle", "constant_70", "constant_130")


def _world(family: str) -> World:
    world = World.begin(Setup(tenants=300, weeks=10, seed=5, family=family))
    for _ in range(10):
        world.step()
    return world


@pytest.fixture(scope="module")
def smooth() -> World:
    return _world("smooth")


@pytest.fixture(scope="module")
def runs(smooth: World) -> dict[str, Played]:
    found = {}
    for name in RUNS:
        player = player_named(name)
        assert player is not None
        found[name] = play(smooth.fork(), player, WEEKS)
    return found


def test_a_brief_record_is_of_the_same_life(smooth: World) -> None:
    whole, brief = (smooth.fork().step({}, brief=brief) for brief in (False, True))
    assert (whole.outcome == brief.outcome).all()
    assert (whole.refused == brief.refused).all()
    assert brief.chances.size == 0
    assert not brief.activity


def test_a_fork_lives_apart_from_its_world(smooth: World) -> None:
    fork = smooth.fork()
    fork.step({})
    assert fork.week == smooth.week + 1
    assert (fork.state.level != smooth.state.level).any()


@pytest.mark.parametrize("name", RUNS)
def test_players_of_our_own_never_break_a_guardrail(name: str, runs: dict[str, Played]) -> None:
    assert sum(runs[name].broken.values()) == 0


def test_a_constant_arm_is_reached_in_steps_and_shares_are_kept(runs: dict[str, Played]) -> None:
    played = runs["constant_70"]
    assert (played.arm[0] >= 70).all()
    assert (played.arm[1] == 70).any()
    share = ((played.arm < 100) & played.here).sum(axis=1) / played.here.sum(axis=1)
    assert 0.2 < share.max() <= 0.5


def test_overdraft_is_had_in_six_of_thirteen_weeks_only(runs: dict[str, Played]) -> None:
    assert ((runs["constant_130"].arm > 100).sum(axis=0) <= 6).all()


def test_violations_are_counted_by_rule(smooth: World) -> None:
    count = smooth.population.size
    found = violations(smooth, np.full(count, 70), np.full(count, 100))
    assert found["step"] > 100
    assert found["newcomer"] > 0
    assert found["renewal"] > 0
    assert found["below_contract"] > 0


def test_a_share_of_friction_goes_to_who_is_worth_most() -> None:
    arm = np.full(4, 85)
    kept = within_share(arm, np.array([1.0, 3.0, 2.0, 4.0]), np.zeros(4, int), arm > 0)
    assert kept.tolist() == [100, 85, 100, 85]


def test_the_oracle_earns_most_and_regrets_nothing(runs: dict[str, Played]) -> None:
    values = {name: float(played.value.sum()) for name, played in runs.items()}
    assert max(values, key=lambda name: values[name]) == "oracle"


def test_the_exploring_oracle_pays_for_what_it_explores(runs: dict[str, Played]) -> None:
    values = [float(runs[name].value.sum()) for name in ("static", "exploring_oracle", "oracle")]
    assert values == sorted(values)


def test_without_exploration_and_holdout_both_oracles_are_one(
    smooth: World, runs: dict[str, Played]
) -> None:
    same = play(smooth.fork(), ExploringOracle(epsilon=0.0, holdout=0.0), WEEKS)
    assert (same.arm == runs["oracle"].arm).all()
    none = play(smooth.fork(), ExploringOracle(epsilon=0.05, holdout=1.0), 2)
    assert (none.arm == 100).all()


def test_an_arm_is_explored_as_often_as_it_should_be(smooth: World) -> None:
    chosen = play(smooth.fork(), Oracle(), 1)
    drawn = play(smooth.fork(), ExploringOracle(epsilon=0.05, holdout=0.0), 1)
    here = chosen.here[0]
    # At most a step to either side is on offer in the first week: two arms beside the choice.
    assert 0.04 < (chosen.arm[0] != drawn.arm[0])[here].mean() < 0.16


def test_organisations_are_held_out_whole(smooth: World, runs: dict[str, Played]) -> None:
    played = runs["exploring_oracle"]
    moved = (played.arm != 100).any(axis=0)
    by_org: dict[str, list[bool]] = {}
    for row in np.flatnonzero(played.here.all(axis=0)):
        org = smooth.population.parent_org[row]
        if org:
            by_org.setdefault(org, []).append(bool(moved[row]))
    large = [any(rows) for rows in by_org.values() if len(rows) > 1]
    assert not all(large)
    assert sum(large) > len(large) / 2


def test_who_may_not_be_offered_friction_is_not(smooth: World) -> None:
    offered = np.ones((4, 5), dtype=bool)
    worth = np.array([1.0, 3.0, 2.0, 4.0])
    left = offered_within_share(offered, worth, np.zeros(4, int), worth > 0)
    assert left[:, :2].all(axis=1).tolist() == [False, True, False, True]
    assert left[:, 2:].all()


def test_figures_of_static_against_itself_are_zero(smooth: World, runs: dict[str, Played]) -> None:
    static = runs["static"]
    free = friction_free(smooth.fork(), static)
    found = figures(static, static, runs["oracle"], free)
    assert found.against_static_percent == 0.0
    assert found.friction_churn_percent == 0.0
    assert found.regret_percent > 0.0
    assert found.friction_share_percent == 0.0


def test_in_habit_friction_costs_tenants_that_its_parallel_keeps() -> None:
    world = _world("habit")
    static, oracle, tight = (
        play(world.fork(), player, WEEKS) for player in (Static(), Oracle(), Constant(70))
    )
    free = friction_free(world.fork(), tight)
    found = figures(tight, static, oracle, free)
    assert found.against_static_percent < 0
    assert found.friction_churn_percent >= 0
    assert found.ever_tightened_percent > 30
    assert (free.arm >= 100).all()


def test_without_demand_for_more_the_oracle_of_null_only_gives_room() -> None:
    world = _world("null")
    played = play(world, Oracle(), 3)
    # Friction saves pennies of compute at most; no tenant's outcome pays for it.
    static = play(_world("null"), Static(), 3)
    assert played.outcome[:, : static.outcome.shape[1]].tolist() == static.outcome.tolist()


def test_players_are_named() -> None:
    assert player_named("value") is None
    with pytest.raises(ValueError, match="no arm"):
        player_named("constant_90")
