"""Every bound of a decision, as a property over tenants, policies and rounds of every sort."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from flyball.arm import NEUTRAL, ArmGrid, effective_limit
from flyball.budget import Budgets
from flyball.case import Case
from flyball.deciding import decide_all, decide_tenant
from flyball.decision import Assignment, Decision, Mode
from flyball.economics import Economics
from flyball.experiment import Experiment, in_holdout
from flyball.guardrail_settings import GuardrailSettings
from flyball.instant import DAY_US, HOUR_US, parse_instant
from flyball.money import TenantMoney
from flyball.outlook import ArmEffect, Estimate, Hazards, Outlook, Trust
from flyball.override import Override, OverrideKind
from flyball.plan import Limit
from flyball.policies.registry import policy_named
from flyball.policy import Policy
from flyball.reason import Reason
from flyball.round import Round
from flyball.state import TenantState

MONDAY = parse_instant("2026-03-02T00:00:00Z")
WEEK = 7 * DAY_US
GRID = ArmGrid()
SECRET = b"a secret of thirty-two bytes....."
OPEN = GuardrailSettings(friction_share=1.0, overdraft_total_share=None)

few = settings(max_examples=120, deadline=None)

limits = st.builds(
    lambda base, kept: Limit(base=base, contract=max(1, base * kept // 100)),
    st.one_of(st.integers(1, 12), st.integers(13, 10**9)),
    st.sampled_from([60, 70, 71, 85, 86, 100]),
)


@st.composite
def effects(draw: st.DrawFn, arm: int) -> ArmEffect:
    small = st.floats(-0.05, 0.05)
    estimate = st.builds(Estimate, small, st.floats(0, 0.02))
    trust = draw(st.sampled_from(Trust))
    known = trust is not Trust.NONE
    share = draw(st.none() | st.floats(0, 1))
    return ArmEffect(
        arm=arm,
        dose=None if share is None else share * (NEUTRAL - arm) / NEUTRAL,
        trust=trust,
        upgrade=draw(estimate) if known else None,
        downgrade=draw(estimate) if known else None,
        churn=draw(estimate) if known else None,
    )


@st.composite
def outlooks(draw: st.DrawFn) -> Outlook:
    chance = st.floats(0, 0.3)
    hazards = draw(st.none() | st.builds(Hazards, upgrade=chance, downgrade=chance, churn=chance))
    found = {arm: draw(effects(arm)) for arm in GRID.arms if draw(st.booleans())}
    return Outlook(hazards=hazards, effects=found, demand_per_period=draw(st.floats(0, 1e7)))


@st.composite
def overrides(draw: st.DrawFn) -> Override:
    kind = draw(st.sampled_from(OverrideKind))
    return Override(
        override_id="o1",
        tenant_id="t1",
        kind=kind,
        arm=draw(st.sampled_from([*GRID.arms, 93, 200])) if kind is OverrideKind.CHOOSE else None,
        author="cs@example.com",
        reason="asked by phone",
        created_us=MONDAY - DAY_US,
        expires_us=MONDAY + 14 * DAY_US,
    )


@st.composite
def states(draw: st.DrawFn, tenant_id: str = "t1") -> TenantState:
    days = st.integers(-10, 200)
    state = TenantState(
        tenant_id=tenant_id,
        organisation=draw(st.sampled_from(["", "org-1", "org-2"])),
        segment=draw(st.sampled_from(["", "smb", "large"])),
        plan="pro",
        limits=tuple(draw(st.lists(limits, min_size=0, max_size=3))),
        created_us=MONDAY - 300 * DAY_US,
        features_us=MONDAY + WEEK,
        override=draw(st.none() | st.none() | overrides()),
    )
    # Half of the tenants are calm: any rule would hide what the other bounds do.
    if draw(st.booleans()):
        return state
    rare = st.sampled_from([False, False, False, True])
    return replace(
        state,
        created_us=MONDAY - draw(days) * DAY_US,
        renewal_us=draw(st.none() | days.map(lambda d: MONDAY + d * DAY_US)),
        upgraded_us=draw(st.none() | days.map(lambda d: MONDAY - d * DAY_US)),
        features_us=draw(st.none() | st.integers(0, 100).map(lambda h: MONDAY - h * HOUR_US)),
        spike=draw(rare),
        incident=draw(rare),
        urgent_ticket=draw(rare),
        overdraft_periods=draw(st.integers(0, 8)),
    )


policies: st.SearchStrategy[Policy] = st.one_of(
    st.sampled_from([*GRID.arms, 60, 200]).map(lambda arm: policy_named("constant", arm=arm)),
    st.sampled_from(["static", "relax", "risk_rule", "value"]).map(policy_named),
    st.just(policy_named("segment", arms={"smb": 70, "large": 130})),
)
experiments = st.none() | st.builds(
    Experiment,
    name=st.sampled_from(["e1", "e2"]),
    secret=st.binary(min_size=16, max_size=32),
    epsilon=st.sampled_from([0.0, 0.05, 0.2]),
    holdout_share=st.sampled_from([0.0, 0.1, 0.5]),
)
money = st.builds(
    TenantMoney,
    mrr_minor=st.none() | st.floats(0, 1e7),
    upgrade_gain_minor=st.none() | st.floats(0, 1e7),
    downgrade_loss_minor=st.none() | st.floats(0, 1e7),
    unit_cost_minor=st.floats(0, 0.1),
)
rounds = st.builds(
    Round,
    as_of_us=st.integers(0, 7 * 24 - 1).map(lambda h: MONDAY + h * HOUR_US),
    policy=policies,
    guardrails=st.just(OPEN),
    experiment=experiments,
    economics=st.sampled_from([None, Economics(support_cost_minor=1500.0)]),
)


def budgets(this: Round, size: int = 10**6) -> Budgets:
    return Budgets(this.guardrails, segment_sizes={"": size, "smb": size, "large": size})


def earlier(served: int, arm: int | None = None, *, start: int = MONDAY - WEEK) -> Decision:
    """A decision of the period before (or of the one that ``start`` names)."""
    return Decision(
        decision_id="d_0", tenant_id="t1", organisation="t1", mode=Mode.LIVE,
        assignment=Assignment.DRAWN, period_start_us=start, period_days=7, decided_us=start,
        arm=served if arm is None else arm, served_arm=served, proposed_arm=100,
        offered={100: 0.5, served: 0.5} if served != 100 else {100: 1.0}, propensity=0.5,
        reasons=("no_arm_pays",), policy="value",
    )  # fmt: skip


previous_decisions = st.none() | st.sampled_from(GRID.arms).map(earlier)
cases = st.builds(
    Case,
    state=states(),
    outlook=outlooks(),
    money=st.none() | money,
    previous=previous_decisions,
)
#: A tenant that no rule protects and every arm could be given to.
PLAIN = TenantState(
    tenant_id="t1", segment="smb", plan="pro", limits=(Limit(base=1000, contract=700),),
    created_us=MONDAY - 400 * DAY_US, features_us=MONDAY,
)  # fmt: skip


def constant(arm: int, **fields: object) -> Round:
    base = Round(as_of_us=MONDAY, policy=policy_named("constant", arm=arm), guardrails=OPEN)
    return replace(base, **fields)  # type: ignore[arg-type]


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


def chosen(arm: int | None, **changes: object) -> Override:
    fields: dict[str, Any] = {
        "override_id": "o1", "tenant_id": "t1", "kind": OverrideKind.CHOOSE, "arm": arm,
        "author": "a", "reason": "r", "created_us": MONDAY - DAY_US,
        "expires_us": MONDAY + 3 * DAY_US,
    }  # fmt: skip
    return Override(**{**fields, **changes})


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


def test_another_mode_neither_continues_a_live_decision_nor_takes_its_name() -> None:
    live = decide_tenant(constant(85), Case(state=PLAIN), budgets(constant(85)))
    asked = constant(115, mode=Mode.WHAT_IF, as_of_us=MONDAY + DAY_US)
    answer = decide_tenant(asked, Case(state=PLAIN, previous=live), budgets(asked))
    assert not answer.continued
    assert answer.decision_id != live.decision_id
    assert not answer.analysed
