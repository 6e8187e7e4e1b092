"""What a person may move at a period's start, and what outranks a person."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from flyball.arm import NEUTRAL, effective_limit
from flyball.case import Case
from flyball.deciding import decide_tenant
from flyball.decision import Assignment
from flyball.instant import DAY_US
from flyball.override import Override, OverrideKind
from flyball.plan import Limit
from flyball.round import Round
from tests.property.flyball.situations import (
    MONDAY,
    PLAIN,
    budgets,
    cases,
    chosen,
    constant,
    few,
    overrides,
    rounds,
)


@few
@given(rounds, cases, overrides())
def test_a_persons_override_outranks_holdout_draw_and_policy(
    this: Round, case: Case, override: Override
) -> None:
    state = replace(case.state, override=override)
    decision = decide_tenant(this, replace(case, state=state), budgets(this))
    assert decision.assignment is Assignment.OVERRIDE
    assert decision.propensity == 1.0
    assert not decision.analysed
    before = NEUTRAL if case.previous is None else case.previous.served_arm
    match override.kind:
        case OverrideKind.FORCE_NEUTRAL:
            assert decision.arm == NEUTRAL
        case OverrideKind.EXEMPT:
            assert decision.arm >= NEUTRAL
        case OverrideKind.FREEZE:
            assert min(before, NEUTRAL) <= decision.arm <= max(before, NEUTRAL)
        case OverrideKind.CHOOSE:
            assert override.arm is not None
            assert min(override.arm, NEUTRAL) <= decision.arm <= max(override.arm, NEUTRAL)


def test_a_chosen_arm_is_taken_where_it_is_offered_and_limited_where_not() -> None:
    this = constant(100)
    taken = decide_tenant(this, Case(state=replace(PLAIN, override=chosen(85))), budgets(this))
    assert (taken.arm, taken.reasons) == (85, ("override_choose",))
    far = decide_tenant(this, Case(state=replace(PLAIN, override=chosen(70))), budgets(this))
    assert (far.arm, far.reasons) == (85, ("override_choose", "override_limited"))
    state = replace(PLAIN, override=chosen(85), spike=True)
    spiking = decide_tenant(this, Case(state=state), budgets(this))
    assert spiking.arm == NEUTRAL
    assert spiking.reasons == ("override_choose", "override_limited", "spike")


@pytest.mark.parametrize(("base", "contract"), [(1000, 851), (1000, 1000), (3, 3), (7, 6)])
def test_an_arm_below_a_contract_is_left_out_and_not_clipped(base: int, contract: int) -> None:
    """Also where it is not the primary meter's contract, and where rounding up decides."""
    strict = Limit(base=base, contract=contract)
    for limits_in_force in ((strict,), (PLAIN.limits[0], strict)):
        this = constant(85)
        case = Case(state=replace(PLAIN, limits=limits_in_force))
        expected = 85 if effective_limit(base, 85) >= contract else 100
        if len(limits_in_force) == 1 and effective_limit(base, 85) == base:
            expected = 100  # the two arms are one
        assert decide_tenant(this, case, budgets(this)).arm == expected


def test_a_raised_contract_ends_friction_at_once() -> None:
    first = decide_tenant(constant(85), Case(state=PLAIN), budgets(constant(85)))
    raised = replace(PLAIN, limits=(Limit(base=1000, contract=900),))
    tuesday = constant(85, as_of_us=MONDAY + DAY_US)
    decision = decide_tenant(tuesday, Case(state=raised, previous=first), budgets(tuesday))
    assert (decision.arm, decision.served_arm, decision.contract_limit) == (85, 100, 900)
    assert decision.reasons[0] == "contract_limit"


def test_a_person_outranks_the_tenants_own_overdraft_budget_but_an_exemption_does_not() -> None:
    this = constant(115)
    spent = replace(PLAIN, overdraft_periods=13)
    picked = Case(state=replace(spent, override=chosen(115)))
    assert decide_tenant(this, picked, budgets(this)).arm == 115
    exempt = Case(state=replace(spent, override=chosen(None, kind=OverrideKind.EXEMPT)))
    assert decide_tenant(this, exempt, budgets(this)).arm == 100


def test_an_override_that_is_over_changes_nothing() -> None:
    state = replace(PLAIN, override=chosen(85, expires_us=MONDAY))
    this = constant(115)
    decision = decide_tenant(this, Case(state=state), budgets(this))
    assert (decision.arm, decision.assignment) == (115, Assignment.POLICY)
