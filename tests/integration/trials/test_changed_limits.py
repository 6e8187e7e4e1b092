"""A change of a plan's limits: static until the new limits were explored and trained on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from flyball.decision import Assignment
from flyball.home import Home
from flyball.instant import DAY_US, SECOND_US
from flyball.plan import Limit
from ledger.records import PlanEntry
from ledger.sqlite_ledger import SqliteLedger
from tests.integration.deciding.conftest import MONDAY_US, make_bundle, plans
from tests.integration.trials.test_shadow_and_canary import Trial

OLD = [1_000, 700, 3_600, 40]
NEW = [1_200, 840, 3_600]


@pytest.fixture(scope="module")
def seen_old(tmp_path_factory: pytest.TempPathFactory, filled: Path) -> Path:
    window = {"limits": {"starter": [OLD]}}
    folder = tmp_path_factory.mktemp("old")
    return make_bundle(folder, filled, "o1", MONDAY_US, data_window=window)


@pytest.fixture(scope="module")
def seen_both(tmp_path_factory: pytest.TempPathFactory, filled: Path) -> Path:
    window = {"limits": {"starter": [OLD, [*NEW, 20]]}}
    folder = tmp_path_factory.mktemp("both")
    return make_bundle(folder, filled, "o2", MONDAY_US + DAY_US, data_window=window)


def raise_limits(home: Home, now_us: int) -> None:
    starter = plans()[0]
    changed = replace(starter, limits={"api.requests": Limit(base=1_200, contract=840, per="hour")})
    with SqliteLedger(home.ledger) as ledger:
        ledger.put_plan(PlanEntry(plan=changed), now_us=now_us, author="test")


def test_static_after_a_change_until_a_training_has_seen_enough_of_it(
    home: Home, seen_old: Path, seen_both: Path
) -> None:
    trial = Trial(home)
    # A home whose usage is as old as the test's weeks go on.
    home.settings.write_text(
        home.settings.read_text() + "stale_feature_rule = false\nspike_rule = false\n"
    )
    trial.place(seen_old, home.bundles)
    with trial.loop() as loop:
        loop.tick()
        acting = [name for name, each in trial.decisions().items() if each.proposed_arm == 85]
        tight = [name for name, each in trial.decisions().items() if each.served_arm < 100]
        assert acting
        assert tight
        raise_limits(home, trial.clock.at_us)
        trial.clock.at_us += SECOND_US
        loop.tick()
        moved = trial.decisions()
        assert {moved[name].served_arm for name in tight} == {100}
        assert all("limits_unexplored" in moved[name].reasons for name in tight)

        def next_period() -> set[int]:
            trial.clock.at_us += 7 * DAY_US
            loop.tick()
            fresh = trial.decisions()
            return {fresh[name].proposed_arm for name in acting}

        assert next_period() == {100}
        drawn = [d for d in trial.decisions().values() if d.assignment is Assignment.DRAWN]
        assert drawn
        assert all("limits_unexplored" in each.reasons for each in drawn)
        # Exploration goes on: more than one arm is offered.
        assert any(len(each.offered) > 1 for each in drawn)
        trial.place(seen_both, home.bundles)
        assert 85 in next_period()
