"""Every bound of a decision, as a property over tenants, policies and rounds of every sort."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from flyball.arm import NEUTRAL, effective_limit
from flyball.case import Case
from flyball.deciding import decide_all, decide_tenant
from flyball.decision import Assignment, Mode
from flyball.experiment import Experiment, in_holdout
from flyball.instant import DAY_US, HOUR_US
from flyball.reason import Reason
from flyball.round import Round
from tests.property.flyball.situations import (
    GRID,
    MONDAY,
    OPEN,
    PLAIN,
    SECRET,
    WEEK,
    budgets,
    cases,
    constant,
    few,
    rounds,
)


@few
@given(rounds, cases)
def test_the_effective_limit_is_never_below_any_contract(this: Round, case: Case) -> None:
    decision = decide_tenant(this, case, budgets(this))
    for limit in case.state.limits:
        assert effective_limit(limit.base, decision.served_arm) >= limit.contract
        assert all(effective_limit(limit.base, arm) >= limit.contract for arm in decision.offered)


@few
@given(rounds, cases)
def test_arms_come_from_the_grid_and_neutral_always_belongs_to_what_is_offered(
    this: Round, case: Case
) -> None:
    decision = decide_tenant(this, case, budgets(this))
    assert decision.arm in GRID.arms
    if decision.assignment in (Assignment.DRAWN, Assignment.POLICY, Assignment.HOLDOUT):
        assert NEUTRAL in decision.offered


@few
@given(rounds, st.lists(cases, min_size=1, max_size=6))
def test_the_kill_switch_puts_everybody_at_neutral(this: Round, several: list[Case]) -> None:
    this = replace(this, killed=True)
    for decision in decide_all(this, several, budgets(this)):
        assert (decision.arm, decision.served_arm, decision.propensity) == (100, 100, 1.0)
        assert decision.assignment is Assignment.KILLED
        assert decision.reasons == ("kill_switch",)
        assert not decision.analysed


@few
@given(rounds, cases)
def test_an_unknown_plan_stays_at_neutral(this: Round, case: Case) -> None:
    case = replace(case, state=replace(case.state, limits=()))
    decision = decide_tenant(this, case, budgets(this))
    assert (decision.arm, decision.base_limit, decision.effective_limit) == (100, None, None)
    assert not decision.enforce_friction


@few
@given(rounds, cases)
def test_a_step_away_from_neutral_is_at_most_fifteen_hundredths(this: Round, case: Case) -> None:
    before = NEUTRAL if case.previous is None else case.previous.served_arm
    arm = decide_tenant(this, case, budgets(this)).arm
    if arm < NEUTRAL:
        assert arm >= min(before, NEUTRAL) - 15
    if arm > NEUTRAL:
        assert arm <= max(before, NEUTRAL) + 15


def test_from_neutral_the_outer_arms_take_two_periods_and_the_way_back_one() -> None:
    start = constant(70)
    first = decide_tenant(start, Case(state=PLAIN), budgets(start))
    assert (first.arm, first.reasons) == (85, ("step_limit", "constant_policy"))
    later = replace(start, as_of_us=MONDAY + WEEK)
    state = replace(PLAIN, features_us=MONDAY + WEEK)
    second = decide_tenant(later, Case(state=state, previous=first), budgets(start))
    assert (second.arm, second.reasons) == (70, ("constant_policy",))
    back = replace(constant(100), as_of_us=MONDAY + 2 * WEEK)
    assert decide_tenant(back, Case(state=state, previous=second), budgets(back)).arm == 100
    # After a gap the arm in force was the plan's own.
    gap = replace(start, as_of_us=MONDAY + 3 * WEEK)
    state = replace(PLAIN, features_us=MONDAY + 3 * WEEK)
    assert decide_tenant(gap, Case(state=state, previous=second), budgets(gap)).arm == 85


RULES: dict[Reason, tuple[dict[str, Any], str]] = {
    Reason.SPIKE: ({"spike": True}, "spike_rule"),
    Reason.INCIDENT: ({"incident": True}, "incident_rule"),
    Reason.URGENT_TICKET: ({"urgent_ticket": True}, "urgent_ticket_rule"),
    Reason.NEW_TENANT: ({"created_us": MONDAY - 30 * DAY_US + 1}, "new_tenant_rule"),
    Reason.RENEWAL_NEAR: ({"renewal_us": MONDAY + 60 * DAY_US}, "renewal_rule"),
    Reason.STALE_FEATURES: ({"features_us": MONDAY - 48 * HOUR_US - 1}, "stale_feature_rule"),
    Reason.RECENT_UPGRADE: ({"upgraded_us": MONDAY - 28 * DAY_US + 1}, "upgrade_rule"),
}


@pytest.mark.parametrize("reason", RULES, ids=str)
@settings(max_examples=25, deadline=None)
@given(rounds, cases)
def test_no_friction_while_a_rule_forbids_it(reason: Reason, this: Round, case: Case) -> None:
    facts, _ = RULES[reason]
    state = replace(case.state, limits=PLAIN.limits, **facts)
    this = replace(this, as_of_us=MONDAY)
    decision = decide_tenant(this, replace(case, state=state), budgets(this))
    assert decision.arm >= NEUTRAL
    assert all(arm >= NEUTRAL for arm in decision.offered)
    if reason is Reason.RECENT_UPGRADE:
        assert decision.arm == NEUTRAL


@pytest.mark.parametrize("reason", RULES, ids=str)
def test_each_rule_names_itself_and_can_be_switched_off(reason: Reason) -> None:
    facts, switch = RULES[reason]
    case = Case(state=replace(PLAIN, **facts))
    held = decide_tenant(constant(85), case, budgets(constant(85)))
    assert held.arm == NEUTRAL
    assert held.reasons[0] == reason.value
    off = constant(85, guardrails=replace(OPEN, **{switch: False}))  # type: ignore[arg-type]
    assert decide_tenant(off, case, budgets(off)).arm == 85


@pytest.mark.parametrize(
    "facts",
    [
        {"created_us": MONDAY - 30 * DAY_US},
        {"renewal_us": MONDAY + 60 * DAY_US + 1},
        {"renewal_us": MONDAY - 1},
        {"features_us": MONDAY - 48 * HOUR_US},
        {"upgraded_us": MONDAY - 28 * DAY_US},
    ],
    ids=lambda facts: next(iter(facts)),
)
def test_just_outside_a_rule_friction_is_possible_again(facts: dict[str, int]) -> None:
    case = Case(state=replace(PLAIN, **facts))  # type: ignore[arg-type]
    assert decide_tenant(constant(85), case, budgets(constant(85))).arm == 85


def test_facts_that_are_unknown_protect_the_tenant() -> None:
    for unknown in ({"created_us": None}, {"features_us": None}):
        case = Case(state=replace(PLAIN, **unknown))  # type: ignore[arg-type]
        assert decide_tenant(constant(85), case, budgets(constant(85))).arm == NEUTRAL


@few
@given(rounds, cases, st.sampled_from([0.1, 0.5, 0.9]))
def test_the_holdout_stays_at_neutral_for_good(this: Round, case: Case, share: float) -> None:
    experiment = Experiment(name="e", secret=SECRET, holdout_share=share)
    this = replace(this, experiment=experiment)
    state = replace(case.state, override=None)
    assume(in_holdout(state.unit, share, SECRET))
    decision = decide_tenant(this, replace(case, state=state), budgets(this))
    assert decision.assignment is Assignment.HOLDOUT
    assert (decision.arm, decision.offered, decision.propensity) == (100, {100: 1.0}, 1.0)
    assert decision.marginal_propensity is not None
    assert share <= decision.marginal_propensity <= 1.0
    assert decision.analysed


@few
@given(rounds, cases)
def test_propensities_belong_to_the_arms_and_sum_to_one(this: Round, case: Case) -> None:
    decision = decide_tenant(this, case, budgets(this))
    assert abs(sum(decision.offered.values()) - 1.0) <= 1e-12
    assert list(decision.offered) == sorted(decision.offered)
    assert decision.propensity == decision.offered[decision.arm] > 0.0
    if decision.assignment is Assignment.DRAWN:
        assert this.experiment is not None
        epsilon, count = this.experiment.epsilon, len(decision.offered)
        for arm, propensity in decision.offered.items():
            expected = epsilon + (1 - epsilon * count) * (arm == decision.proposed_arm)
            assert propensity == pytest.approx(expected, abs=1e-12)


@few
@given(rounds, cases)
def test_the_drawn_arm_is_the_served_arm_and_the_same_inputs_give_the_same_decision(
    this: Round, case: Case
) -> None:
    decision = decide_tenant(this, case, budgets(this))
    assert decision.arm == decision.served_arm
    assert repr(decision) == repr(decide_tenant(this, case, budgets(this)))


@few
@given(rounds, cases)
def test_probabilities_lie_in_zero_to_one_and_need_a_model(this: Round, case: Case) -> None:
    decision = decide_tenant(this, case, budgets(this))
    chances = (
        decision.upgrade_probability,
        decision.downgrade_probability,
        decision.churn_probability,
    )
    if case.outlook.hazards is None:
        assert chances == (None, None, None)
    else:
        assert all(chance is not None and 0.0 <= chance <= 1.0 for chance in chances)
        assert sum(chance or 0.0 for chance in chances) <= 1.0 + 1e-9


# Within a period.


def test_another_mode_neither_continues_a_live_decision_nor_takes_its_name() -> None:
    live = decide_tenant(constant(85), Case(state=PLAIN), budgets(constant(85)))
    asked = constant(115, mode=Mode.WHAT_IF, as_of_us=MONDAY + DAY_US)
    answer = decide_tenant(asked, Case(state=PLAIN, previous=live), budgets(asked))
    assert not answer.continued
    assert answer.decision_id != live.decision_id
    assert not answer.analysed
