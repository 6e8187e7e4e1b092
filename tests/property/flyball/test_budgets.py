"""Budgets and shares hold for every order in which tenants come, and whatever is drawn."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.budget import Budgets, extra_requests
from flyball.case import Case
from flyball.deciding import decide_all
from flyball.decision import Assignment, Decision
from flyball.experiment import Experiment
from flyball.guardrail_settings import GuardrailSettings
from flyball.instant import DAY_US, parse_instant
from flyball.money import TenantMoney
from flyball.outlook import ArmEffect, Hazards, Outlook, Trust
from flyball.override import Override, OverrideKind
from flyball.plan import Limit
from flyball.policies.registry import policy_named
from flyball.round import Round
from flyball.state import TenantState

MONDAY = parse_instant("2026-03-02T00:00:00Z")
HAZARDS = Hazards(upgrade=0.01, downgrade=0.0, churn=0.01)


@st.composite
def tenants(draw: st.DrawFn) -> list[Case]:
    count = draw(st.integers(1, 25))
    cases = []
    for number in range(count):
        state = TenantState(
            tenant_id=f"t{number}",
            segment=draw(st.sampled_from(["smb", "large"])),
            limits=(Limit(base=1000, contract=700),),
            created_us=MONDAY - 400 * DAY_US,
            features_us=MONDAY,
        )
        dose = draw(st.none() | st.floats(-0.13, 0.0))
        effects = {115: ArmEffect(arm=115, dose=dose, trust=Trust.NONE)}
        demand = draw(st.floats(0, 1e6))
        cases.append(
            Case(
                state=state,
                outlook=Outlook(hazards=HAZARDS, effects=effects, demand_per_period=demand),
                money=TenantMoney(unit_cost_minor=draw(st.sampled_from([0.0, 0.01, 1.0]))),
            )
        )
    return cases


def sizes(cases: list[Case]) -> dict[str, int]:
    found: dict[str, int] = {}
    for case in cases:
        found[case.state.segment] = found.get(case.state.segment, 0) + 1
    return found


rounds = st.builds(
    Round,
    as_of_us=st.just(MONDAY),
    policy=st.sampled_from([policy_named("constant", arm=arm) for arm in (85, 100, 115)]),
    experiment=st.none()
    | st.builds(
        Experiment,
        name=st.just("e"),
        secret=st.binary(min_size=16, max_size=16),
        epsilon=st.sampled_from([0.0, 0.05, 0.2]),
        holdout_share=st.sampled_from([0.0, 0.2]),
    ),
    guardrails=st.builds(
        GuardrailSettings,
        friction_share=st.sampled_from([0.0, 0.1, 0.29, 0.5, 1.0]),
        friction_share_by_segment=st.sampled_from([{}, {"large": 0.0}, {"smb": 0.2}]),
        overdraft_tenant_requests=st.none() | st.floats(0, 1e5),
        overdraft_total_requests=st.none() | st.floats(0, 1e6),
        overdraft_total_minor=st.none() | st.floats(0, 1e4),
        overdraft_total_share=st.none() | st.floats(0, 0.2),
    ),
)


def fresh(this: Round, cases: list[Case]) -> Budgets:
    demand = sum(case.outlook.demand_per_period for case in cases)
    return Budgets(this.guardrails, segment_sizes=sizes(cases), total_demand=demand)


def assert_within(this: Round, cases: list[Case], decisions: list[Decision]) -> None:
    """The worst that could have been drawn stays within every bound."""
    guardrails = this.guardrails
    requests = cost = 0.0
    tight: dict[str, int] = {}
    for case, decision in zip(cases, decisions, strict=True):
        at_risk = [arm for arm, p in decision.offered.items() if p > 0.0]
        extra = max(extra_requests(case.outlook, arm) for arm in at_risk)
        requests += extra
        cost += extra * case.unit_cost_minor
        tight[case.state.segment] = tight.get(case.state.segment, 0) + (min(at_risk) < 100)
        if guardrails.overdraft_tenant_requests is not None:
            assert extra <= guardrails.overdraft_tenant_requests
    demand = sum(case.outlook.demand_per_period for case in cases)
    slack = 1 + 1e-9
    if guardrails.overdraft_total_requests is not None:
        assert requests <= guardrails.overdraft_total_requests * slack
    if guardrails.overdraft_total_minor is not None:
        assert cost <= guardrails.overdraft_total_minor * slack
    if guardrails.overdraft_total_share is not None:
        assert requests <= guardrails.overdraft_total_share * demand * slack + 1e-6
    for segment, size in sizes(cases).items():
        assert tight[segment] <= guardrails.share_of(segment) * size + 1e-9


@settings(max_examples=150, deadline=None)
@given(rounds, tenants(), st.data())
def test_budgets_and_shares_hold_for_any_order_and_the_order_changes_nothing(
    this: Round, cases: list[Case], data: st.DataObject
) -> None:
    decisions = decide_all(this, cases, fresh(this, cases))
    assert_within(this, cases, decisions)
    order = data.draw(st.permutations(range(len(cases))))
    shuffled = decide_all(this, [cases[i] for i in order], fresh(this, cases))
    assert [decisions[i] for i in order] == shuffled


@settings(max_examples=100, deadline=None)
@given(rounds, tenants(), st.data())
def test_budgets_hold_when_tenants_come_in_batches(
    this: Round, cases: list[Case], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(cases)))
    budgets = fresh(this, cases)
    early = decide_all(this, cases[:cut], budgets)
    # A process that was restarted knows the earlier ones from the log.
    restarted = fresh(this, cases)
    for case, decision in zip(cases[:cut], early, strict=True):
        restarted.hold(decision, case.state.segment, case.unit_cost_minor)
        restarted.hold(decision, case.state.segment, case.unit_cost_minor)
    late = decide_all(this, cases[cut:], budgets)
    assert_within(this, cases, early + late)
    assert_within(this, cases, early + decide_all(this, cases[cut:], restarted))


@settings(max_examples=60, deadline=None)
@given(rounds, tenants())
def test_deciding_again_in_the_same_period_reserves_nothing_twice(
    this: Round, cases: list[Case]
) -> None:
    budgets = fresh(this, cases)
    decisions = decide_all(this, cases, budgets)
    left = (budgets.requests_left, budgets.cost_left, budgets.places_left("smb"))
    kept = [replace(c, previous=d) for c, d in zip(cases, decisions, strict=True)]
    again = decide_all(this, kept, budgets)
    assert (budgets.requests_left, budgets.cost_left, budgets.places_left("smb")) == left
    assert [d.served_arm for d in again] == [d.served_arm for d in decisions]


def test_a_persons_choice_outranks_the_budget_and_is_counted_first() -> None:
    this = Round(
        as_of_us=MONDAY,
        policy=policy_named("constant", arm=85),
        guardrails=GuardrailSettings(friction_share=0.5),
    )
    state = TenantState(
        tenant_id="t0", segment="smb", limits=(Limit(base=1000, contract=700),),
        created_us=MONDAY - 400 * DAY_US, features_us=MONDAY,
    )  # fmt: skip
    override = Override(
        override_id="o", tenant_id="t9", kind=OverrideKind.CHOOSE, arm=85, author="a", reason="r",
        created_us=MONDAY - DAY_US, expires_us=MONDAY + DAY_US,
    )  # fmt: skip
    cases = [Case(state=replace(state, tenant_id=f"t{n}")) for n in range(9)]
    cases.append(Case(state=replace(state, tenant_id="t9", override=override)))
    decisions = decide_all(this, cases, fresh(this, cases))
    assert decisions[-1].arm == 85
    assert decisions[-1].assignment is Assignment.OVERRIDE
    assert sum(d.arm == 85 for d in decisions) == 5
    refused = [d for d in decisions if d.arm == 100]
    assert all(d.reasons[0] == "friction_share_reached" for d in refused)
    none_left = replace(this, guardrails=GuardrailSettings(friction_share=0.0))
    decisions = decide_all(none_left, cases, fresh(none_left, cases))
    assert [d.arm for d in decisions] == [100] * 9 + [85]


def test_a_tenant_that_was_relaxed_often_gets_no_more_overdraft() -> None:
    this = Round(as_of_us=MONDAY, policy=policy_named("constant", arm=115))
    state = TenantState(
        tenant_id="t0", segment="smb", limits=(Limit(base=1000, contract=700),),
        created_us=MONDAY - 400 * DAY_US, features_us=MONDAY, overdraft_periods=5,
    )  # fmt: skip
    allowed = decide_all(this, [Case(state=state)], Budgets(this.guardrails, segment_sizes={}))[0]
    assert allowed.arm == 115
    spent = Case(state=replace(state, overdraft_periods=6))
    decision = decide_all(this, [spent], Budgets(this.guardrails, segment_sizes={}))[0]
    assert (decision.arm, decision.reasons[0]) == (100, "tenant_overdraft_spent")
