"""Within a period: nothing is drawn again, and only safety and people move what is served."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from flyball.arm import NEUTRAL, effective_limit
from flyball.case import Case
from flyball.deciding import decide_tenant
from flyball.decision import Decision
from flyball.instant import DAY_US
from flyball.outlook import Outlook
from flyball.override import Override, OverrideKind
from flyball.policy import Policy
from flyball.round import Round
from flyball.state import TenantState
from tests.property.flyball.situations import (
    GRID,
    MONDAY,
    PLAIN,
    budgets,
    cases,
    chosen,
    constant,
    earlier,
    few,
    outlooks,
    policies,
    rounds,
    states,
)


@few
@given(rounds, cases, states(), outlooks(), st.integers(1, 6), policies)
def test_within_a_period_the_assignment_stays_and_the_served_arm_only_moves_towards_neutral(
    this: Round, case: Case, then: TenantState, outlook: Outlook, days: int, policy: Policy
) -> None:
    this = replace(this, as_of_us=MONDAY)
    first = decide_tenant(this, case, budgets(this))
    relaxing = then.override is not None and then.override.kind is OverrideKind.CHOOSE
    assume(not relaxing)
    later = replace(this, as_of_us=MONDAY + days * DAY_US, policy=policy)
    now = Case(state=then, outlook=outlook, previous=first)
    second = decide_tenant(later, now, budgets(later))
    assert second.continued
    kept = ("decision_id", "arm", "assignment", "offered", "propensity", "proposed_arm", "policy")
    assert all(getattr(second, name) == getattr(first, name) for name in kept)
    low, high = sorted((first.served_arm, NEUTRAL))
    assert low <= second.served_arm <= high
    for limit in then.limits:
        assert effective_limit(limit.base, second.served_arm) >= limit.contract


@few
@given(states(), st.sampled_from([70, 85, 100, 115, 130]), st.sampled_from([*GRID.arms, 93]))
def test_a_persons_choice_within_a_period_never_tightens_below_neutral(
    then: TenantState, served: int, wanted: int
) -> None:
    now = constant(100, as_of_us=MONDAY + DAY_US)
    state = replace(then, override=chosen(wanted))
    case = Case(state=state, previous=earlier(served, start=MONDAY))
    decision = decide_tenant(now, case, budgets(now))
    assert decision.served_arm >= min(served, NEUTRAL)
    assert decision.served_arm <= max(served, NEUTRAL + 15)
    again = decide_tenant(now, replace(case, previous=decision), budgets(now))
    assert again.served_arm == decision.served_arm


def test_a_safety_exit_is_immediate_lasting_and_logged() -> None:
    first = decide_tenant(constant(85), Case(state=PLAIN), budgets(constant(85)))
    assert first.served_arm == 85
    tuesday = constant(85, as_of_us=MONDAY + DAY_US)
    spiking = Case(state=replace(PLAIN, spike=True), previous=first)
    out = decide_tenant(tuesday, spiking, budgets(tuesday))
    assert (out.arm, out.served_arm) == (85, 100)
    assert out.reasons == ("spike", "constant_policy")
    over = decide_tenant(tuesday, Case(state=PLAIN, previous=out), budgets(tuesday))
    assert over.served_arm == 100
    killed = replace(tuesday, killed=True)
    stopped = decide_tenant(killed, Case(state=PLAIN, previous=first), budgets(killed))
    assert (stopped.arm, stopped.served_arm, stopped.reasons[0]) == (85, 100, "kill_switch")
    assert stopped.assignment is first.assignment


@few
@given(rounds, cases, outlooks())
def test_decisions_name_the_kill_switch_as_on_exactly_while_it_is(
    this: Round, case: Case, outlook: Outlook
) -> None:
    decision = decide_tenant(replace(this, as_of_us=MONDAY), case, budgets(this))
    for hours, killed in enumerate((True, False, False, True, False), start=1):
        now = replace(this, as_of_us=MONDAY + hours * DAY_US // 24, killed=killed)
        kept = Case(state=case.state, outlook=outlook, previous=decision)
        held = {"kill_switch", "kill_switch_ended"} & set(decision.reasons)
        decision = decide_tenant(now, kept, budgets(now))
        assert decision.continued
        assert "kill_switch" not in decision.reasons or killed
        assert "kill_switch_ended" not in decision.reasons or not killed
        if held:
            # Once it has moved an account, that stays said until the next period.
            assert {"kill_switch", "kill_switch_ended"} & set(decision.reasons)


def test_what_the_kill_switch_moved_says_that_it_is_off_again_and_waits_for_the_next_period() -> (
    None
):
    tuesday = constant(85, as_of_us=MONDAY + DAY_US)
    killed = replace(tuesday, killed=True)
    tight = decide_tenant(constant(85), Case(state=PLAIN), budgets(tuesday))
    never = decide_tenant(killed, Case(state=PLAIN), budgets(killed))
    moved = decide_tenant(killed, Case(state=PLAIN, previous=tight), budgets(killed))
    for on, kept in ((moved, ("constant_policy",)), (never, ())):
        assert on.reasons == ("kill_switch", *kept)
        off = decide_tenant(tuesday, Case(state=PLAIN, previous=on), budgets(tuesday))
        assert (off.served_arm, off.reasons) == (100, ("kill_switch_ended", *kept))
        again = decide_tenant(killed, Case(state=PLAIN, previous=off), budgets(killed))
        assert again.reasons == ("kill_switch", *kept)


def test_people_move_within_a_period_at_once_where_it_relaxes_and_later_where_it_tightens() -> None:
    tuesday = constant(100, as_of_us=MONDAY + DAY_US)
    first = decide_tenant(constant(100), Case(state=PLAIN), budgets(tuesday))

    def move(override: Override | None, previous: Decision = first) -> Decision:
        case = Case(state=replace(PLAIN, override=override), previous=previous)
        return decide_tenant(tuesday, case, budgets(tuesday))

    assert (move(chosen(115)).served_arm, move(chosen(130)).served_arm) == (115, 115)
    waiting = move(chosen(85))
    assert (waiting.served_arm, waiting.reasons[0]) == (100, "override_waits")
    assert "override_waits" not in move(None, waiting).reasons
    ended = move(None, move(chosen(115)))
    assert (ended.served_arm, ended.reasons[0]) == (100, "override_ended")
    tight = decide_tenant(constant(85), Case(state=PLAIN), budgets(tuesday))
    force = chosen(None, kind=OverrideKind.FORCE_NEUTRAL)
    exempt = chosen(None, kind=OverrideKind.EXEMPT)
    freeze = chosen(None, kind=OverrideKind.FREEZE)
    assert move(force, tight).served_arm == 100
    assert move(exempt, tight).served_arm == 100
    assert move(freeze, tight).served_arm == 85


@pytest.mark.parametrize("kind", [OverrideKind.FORCE_NEUTRAL, OverrideKind.EXEMPT], ids=str)
def test_a_move_that_has_ended_says_so_and_the_tighter_arm_waits_for_the_next_period(
    kind: OverrideKind,
) -> None:
    tuesday = constant(85, as_of_us=MONDAY + DAY_US)
    tight = decide_tenant(constant(85), Case(state=PLAIN), budgets(tuesday))
    by_person = replace(PLAIN, override=chosen(None, kind=kind))
    moved = decide_tenant(tuesday, Case(state=by_person, previous=tight), budgets(tuesday))
    over = decide_tenant(tuesday, Case(state=PLAIN, previous=moved), budgets(tuesday))
    assert moved.reasons[0].startswith("override_")
    assert over.served_arm == 100
    assert over.reasons == ("override_ended", "constant_policy")
    again = decide_tenant(tuesday, Case(state=PLAIN, previous=over), budgets(tuesday))
    assert (again.served_arm, again.reasons) == (over.served_arm, over.reasons)
