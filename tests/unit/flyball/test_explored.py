"""Limits that a model has not seen: static there, explored all the same, and back by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flyball.budget import Budgets
from flyball.case import Case
from flyball.deciding import decide_all
from flyball.decision import Assignment, Decision
from flyball.experiment import Experiment
from flyball.explored import ExploredLimits, Terms, explored_from
from flyball.guardrail_settings import GuardrailSettings
from flyball.instant import DAY_US, HOUR_US, parse_instant
from flyball.outlook import ArmEffect, Estimate, Hazards, Outlook, Trust
from flyball.override import Override, OverrideKind
from flyball.plan import Limit
from flyball.policies.registry import policy_named
from flyball.policy import Policy
from flyball.round import Round
from flyball.state import TenantState

MONDAY = parse_instant("2026-01-05T00:00:00Z")
SEEN = ExploredLimits(
    {"pro": {Terms(1000, 700, 60): 25, Terms(2000, 1800, 60): 3, Terms(4000, 2800, 60): 2}}
)
#: Nearly always draws the policy's choice; some draws explore.
EXPERIMENT = Experiment(name="trial", secret=b"0123456789abcdef", epsilon=0.05, holdout_share=0.0)


def covered(base: int, contract: int, *, own: bool = False, plan: str = "pro") -> bool:
    limit = Limit(base=base, contract=contract)
    return SEEN.covers(plan, limit, own=own, least_periods=20)


def test_limits_count_as_explored_once_enough_periods_were_drawn_under_them() -> None:
    assert covered(1000, 700)
    assert not covered(1000, 800)
    assert not covered(2000, 1800)
    assert not covered(1000, 700, plan="new")
    hourly = Limit(base=1000, contract=700, per="hour")
    assert not SEEN.covers("pro", hourly, own=True, least_periods=20)


def test_limits_of_an_accounts_own_count_within_the_range_that_was_drawn() -> None:
    assert covered(1500, 1200, own=True)
    assert not covered(1500, 1200)
    assert not covered(4001, 2801, own=True)
    assert not covered(1500, 1000, own=True)
    assert not covered(1500, 1200, own=True, plan="new")


def test_what_was_explored_is_read_as_it_was_written() -> None:
    assert explored_from(SEEN.plain()) == SEEN
    assert explored_from({}) == ExploredLimits({})
    for absent in (None, 3, {"pro": 3}, {"pro": [[1, 2]]}):
        assert explored_from(absent) is None


def round_at(at_us: int = MONDAY, *, policy: Policy | None = None, rule: bool = True) -> Round:
    return Round(
        as_of_us=at_us,
        policy=policy or policy_named("risk_rule", churn_low=1.0, churn_high=1.0),
        experiment=EXPERIMENT,
        guardrails=GuardrailSettings(friction_share=1.0, harm_budget=None, unexplored_rule=rule),
    )


def case(
    name: str, *, unexplored: bool, base: int = 1000, previous: Decision | None = None
) -> Case:
    effects = {
        arm: ArmEffect(
            arm=arm, dose=(100 - arm) / 100, trust=Trust.POOLED,
            upgrade=Estimate(0.0, 0.0), downgrade=Estimate(0.0, 0.0), churn=Estimate(0.0, 0.0),
        )
        for arm in (70, 85, 100, 115, 130)
    }  # fmt: skip
    return Case(
        state=TenantState(
            tenant_id=name,
            plan="pro",
            limits=(Limit(base=base, contract=base * 7 // 10),),
            created_us=MONDAY - 400 * DAY_US,
            features_us=MONDAY,
            unexplored=unexplored,
        ),
        outlook=Outlook(hazards=Hazards(upgrade=0.3, downgrade=0.0, churn=0.01), effects=effects),
        previous=previous,
    )


def decide(this: Round, *cases: Case) -> list[Decision]:
    return decide_all(this, cases, Budgets(this.guardrails, segment_sizes={"": 1000}))


def many(unexplored: bool) -> list[Case]:
    return [case(f"t{number}", unexplored=unexplored) for number in range(300)]


def test_the_policy_is_static_there_and_exploration_goes_on() -> None:
    acting = decide(round_at(), *many(False))
    fallen = decide(round_at(), *many(True))
    assert {each.proposed_arm for each in acting} == {85}
    assert {each.proposed_arm for each in fallen} == {100}
    assert all("limits_unexplored" in each.reasons for each in fallen)
    for each in fallen:
        assert each.assignment is Assignment.DRAWN
        assert each.offered == pytest.approx({85: 0.05, 100: 0.9, 115: 0.05})
    assert {each.arm for each in fallen} == {85, 100, 115}


def test_a_rule_that_is_off_and_a_policy_without_a_model_are_not_concerned() -> None:
    (off,) = decide(round_at(rule=False), case("t1", unexplored=True))
    assert off.proposed_arm == 85
    constant = policy_named("constant", arm=85)
    (plain,) = decide(round_at(policy=constant), case("t1", unexplored=True))
    assert plain.proposed_arm == 85


def tightened() -> Decision:
    return next(each for each in decide(round_at(), *many(False)) if each.arm == 85)


def test_limits_that_change_within_a_period_send_the_arm_to_100_at_once() -> None:
    before = tightened()
    later = round_at(MONDAY + DAY_US)
    moved = case(before.tenant_id, unexplored=True, base=1500, previous=before)
    (after,) = decide(later, moved)
    assert (after.arm, after.served_arm, after.reasons[0]) == (85, 100, "limits_unexplored")
    # The new limits are explored: then the arm stays for them too.
    (kept,) = decide(later, case(before.tenant_id, unexplored=False, base=1500, previous=before))
    assert kept.served_arm == 85


def test_an_arm_that_explores_the_new_limits_stays_for_its_period() -> None:
    drawn = next(each for each in decide(round_at(), *many(True)) if each.arm == 85)
    (after,) = decide(
        round_at(MONDAY + DAY_US), case(drawn.tenant_id, unexplored=True, previous=drawn)
    )
    assert after.served_arm == 85


def test_a_persons_arm_stays() -> None:
    override = Override(
        override_id="o1", tenant_id="t1", kind=OverrideKind.CHOOSE, arm=85, reason="agreed",
        author="ann", created_us=MONDAY - DAY_US, expires_us=MONDAY + 30 * DAY_US,
    )  # fmt: skip
    chosen = case("t1", unexplored=True)
    chosen = replace(chosen, state=replace(chosen.state, override=override))
    (before,) = decide(round_at(), chosen)
    assert before.served_arm == 85
    moved = case("t1", unexplored=True, base=1500, previous=before)
    moved = replace(moved, state=replace(moved.state, override=override))
    (after,) = decide(round_at(MONDAY + DAY_US), moved)
    assert after.served_arm == 85


def test_an_upgrade_ends_the_period_and_the_new_plan_starts_at_100_for_28_days() -> None:
    before = tightened()
    upgraded_us = MONDAY + DAY_US

    def at(day: int, previous: Decision | None) -> Decision:
        plain = case(before.tenant_id, unexplored=False, base=9000, previous=previous)
        state = replace(plain.state, upgraded_us=upgraded_us, features_us=MONDAY + day * DAY_US)
        (made,) = decide(round_at(MONDAY + day * DAY_US + HOUR_US), replace(plain, state=state))
        return made

    same_period = at(1, before)
    assert (same_period.arm, same_period.served_arm) == (85, 100)
    assert same_period.reasons[0] == "recent_upgrade"
    for day in (7, 14, 21, 28):
        fresh = at(day, None)
        assert (fresh.arm, set(fresh.offered)) == (100, {100}), day
        assert "recent_upgrade" in fresh.reasons
    later = at(35, None)
    assert "recent_upgrade" not in later.reasons
    assert set(later.offered) == {85, 100, 115}
