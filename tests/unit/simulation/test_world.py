from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simulation import saved
from simulation.bucket import blocked, effective_limit
from simulation.export import Exporter
from simulation.week import Setup
from simulation.world import World

SETUP = Setup(tenants=200, weeks=6, seed=3)


def _lived(arm: int | None, weeks: int = 6, setup: Setup = SETUP) -> World:
    world = World.begin(setup)
    for _ in range(weeks):
        world.step(None if arm is None else dict.fromkeys(world.present(), arm))
    return world


def test_the_same_setup_and_decisions_give_the_same_world() -> None:
    one, two = _lived(None), _lived(None)
    assert (one.state.gone_hour == two.state.gone_hour).all()
    assert (one.step().demand == two.step().demand).all()


def test_another_seed_gives_another_world() -> None:
    other = _lived(None, setup=Setup(tenants=200, weeks=6, seed=4))
    assert (other.state.level != _lived(None).state.level).mean() > 0.9


def test_policies_meet_the_same_demand_while_the_tenant_is_here() -> None:
    tight, free = _lived(85), _lived(130)
    for world in (tight, free):
        assert world.week == SETUP.start_week + 6
    a, b = tight.step({}), free.step({})
    both = a.here & b.here & (a.outcome < 0) & (b.outcome < 0)
    assert both.sum() > 150
    assert (a.demand[both] == b.demand[both]).all()


def test_a_tighter_arm_blocks_more() -> None:
    tight, free = (World.begin(SETUP).step(dict.fromkeys(ids, arm)) for ids, arm in _arms())
    same = (tight.outcome < 0) & (free.outcome < 0)
    assert (tight.refused[same] >= free.refused[same]).all()
    assert tight.refused.sum() > free.refused.sum() > 0


def _arms() -> list[tuple[list[str], int]]:
    ids = World.begin(SETUP).present()
    return [(ids, 70), (ids, 100)]


def test_the_bucket_blocks_exactly_what_exceeds_the_effective_limit() -> None:
    limit = effective_limit(np.array([1_001]), np.array([85]))
    assert limit.tolist() == [851]
    refused = blocked(np.array([[851.0, 852.0, 2_000.0]]), limit[:, None])
    assert refused.tolist() == [[0.0, 1.0, 1_149.0]]


def test_outcomes_follow_the_true_chances() -> None:
    world = World.begin(Setup(tenants=3_000, weeks=8, seed=5))
    expected, seen = np.zeros(3), np.zeros(3)
    for _ in range(8):
        week = world.step({})
        expected += week.chances[week.here, 2].sum(axis=0)
        seen += [(week.outcome[week.here] == kind).sum() for kind in range(3)]
    assert (np.abs(seen - expected) < 4 * np.sqrt(expected)).all()


def test_who_left_asks_for_nothing_and_who_upgraded_has_a_larger_limit() -> None:
    world = World.begin(Setup(tenants=2_000, weeks=4, seed=9))
    week = world.step(dict.fromkeys(world.present(), 70))
    gone = np.flatnonzero(week.outcome == 2)
    assert len(gone) > 0
    for row in gone:
        after = int(week.outcome_hour[row]) - (week.week * 168 + 96)
        assert week.demand[row, after:].sum() == 0
    grown = week.outcome == 0
    assert (week.plan_after[grown] == week.plan_before[grown] + 1).all()
    assert world.step({}).demand[gone].sum() == 0


def test_new_tenants_arrive_and_ask_for_nothing_before_they_exist() -> None:
    world = World.begin(SETUP)
    before = len(world.present())
    week = world.step({})
    new = np.flatnonzero(world.population.created_hour[: len(week.arm)] >= week.from_hour)
    assert len(new) > 0
    for row in new:
        first = int(world.population.created_hour[row]) - week.from_hour
        assert week.demand[row, :first].sum() == 0
    assert len(world.present()) >= before - (week.outcome == 2).sum() + len(new)


def test_a_saved_world_lives_on_as_if_it_had_not_been_saved(tmp_path: Path) -> None:
    world = _lived(None, weeks=5)
    exporter = Exporter(world)
    saved.save(tmp_path / "w", world, exporter)
    again, _ = saved.load(tmp_path / "w")
    one, two = world.step(), again.step()
    assert (one.demand == two.demand).all()
    assert (one.arm == two.arm).all()
    assert (one.outcome == two.outcome).all()


def test_a_folder_without_a_world_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no world"):
        saved.load(tmp_path)


def test_a_world_of_an_older_version_is_refused(tmp_path: Path) -> None:
    world = World.begin(SETUP)
    saved.save(tmp_path, world, Exporter(world))
    np.savez(tmp_path / "state.npz", plan=world.state.plan)
    with pytest.raises(ValueError, match="older version"):
        saved.load(tmp_path)


def test_an_unknown_family_is_refused() -> None:
    with pytest.raises(ValueError, match="no family"):
        World.begin(Setup(family="magic"))
