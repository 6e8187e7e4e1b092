"""The harm budget binds what friction is predicted to cause, whatever comes in whatever order."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.budget import Budgets
from flyball.case import Case
from flyball.deciding import decide_all
from flyball.decision import Decision
from flyball.experiment import Experiment
from flyball.guardrail_settings import GuardrailSettings
from flyball.harm import HarmBudget, expected_harm, harm_of
from flyball.instant import DAY_US, parse_instant
from flyball.outlook import ArmEffect, Estimate, Hazards, Outlook, Trust
from flyball.plan import Limit
from flyball.policies.registry import policy_named
from flyball.round import Round
from flyball.state import TenantState

MONDAY = parse_instant("2026-03-02T00:00:00Z")
HAZARDS = Hazards(upgrade=0.01, downgrade=0.0, churn=0.01)


def _effect(arm: int, churn: float, doubt: float = 0.0) -> ArmEffect:
    return ArmEffect(
        arm=arm,
        dose=(100 - arm) / 300,
        trust=Trust.POOLED,
        upgrade=Estimate(0.05, 0.0),
        churn=Estimate(churn, doubt),
    )


def _case(number: int, mild: float, harsh: float, doubt: float = 0.0) -> Case:
    state = TenantState(
        tenant_id=f"t{number}",
        segment="smb",
        limits=(Limit(base=1000, contract=700),),
        created_us=MONDAY - 400 * DAY_US,
        features_us=MONDAY,
    )
    effects = {85: _effect(85, mild, doubt), 70: _effect(70, harsh, 2.0 * doubt)}
    return Case(state=state, outlook=Outlook(hazards=HAZARDS, effects=effects))


@st.composite
def tenants(draw: st.DrawFn) -> list[Case]:
    harm, doubt = st.floats(-0.02, 0.05), st.sampled_from([0.0, 0.004, 0.05])
    return [_case(i, draw(harm), draw(harm), draw(doubt)) for i in range(draw(st.integers(1, 25)))]


rounds = st.builds(
    Round,
    as_of_us=st.just(MONDAY),
    policy=st.sampled_from([policy_named("constant", arm=arm) for arm in (70, 85, 100)]),
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
        step_hundredths=st.just(30),
        friction_share=st.sampled_from([0.3, 1.0]),
        harm_budget=st.sampled_from([0.0, 0.012, 0.2]),
        harm_caution=st.sampled_from([0.0, 0.5, 3.0]),
    ),
)


def fresh(this: Round, cases: list[Case], tightened: frozenset[str]) -> Budgets:
    return Budgets(
        this.guardrails,
        segment_sizes={"smb": len(cases)},
        tightened=tightened,
        period_days=this.period_days,
    )


def assert_within(
    this: Round, cases: list[Case], decisions: list[Decision], tightened: frozenset[str]
) -> None:
    """The bound as it is defined, from the decisions alone."""
    assert this.guardrails.harm_budget is not None
    harm, reached = 0.0, float(len(tightened))
    for case, decision in zip(cases, decisions, strict=True):
        harm += expected_harm(
            case.outlook,
            decision.offered,
            choice=decision.proposed_arm,
            caution=this.guardrails.harm_caution,
        )
        if case.state.tenant_id not in tightened:
            reached += sum(p for arm, p in decision.offered.items() if arm < 100)
    part = this.guardrails.harm_budget * 7 / (7 * this.guardrails.harm_window_weeks)
    assert harm <= part * reached + 1e-9


@settings(max_examples=200, deadline=None)
@given(rounds, tenants(), st.data())
def test_predicted_harm_stays_within_the_budget_in_any_order(
    this: Round, cases: list[Case], data: st.DataObject
) -> None:
    names = [case.state.tenant_id for case in cases]
    tightened = frozenset(data.draw(st.sets(st.sampled_from([*names, "gone1", "gone2"]))))
    decisions = decide_all(this, cases, fresh(this, cases, tightened))
    assert_within(this, cases, decisions, tightened)
    order = data.draw(st.permutations(range(len(cases))))
    shuffled = decide_all(this, [cases[i] for i in order], fresh(this, cases, tightened))
    assert [decisions[i] for i in order] == shuffled


@settings(max_examples=60, deadline=None)
@given(tenants(), st.sampled_from([2, 4]), st.data())
def test_half_a_year_costs_no_more_than_the_budget_for_each_tenant_tightened(
    cases: list[Case], window: int, data: st.DataObject
) -> None:
    """Week by week with what the decisions themselves did; effects and choices change weekly."""
    guardrails = GuardrailSettings(
        step_hundredths=30, friction_share=1.0, harm_budget=0.05, harm_window_weeks=window
    )
    harm: list[float] = []
    reached: list[set[str]] = []
    for week in range(3 * window):
        doubts = st.sampled_from([0.0, 0.001, 0.004])
        shown = data.draw(st.lists(st.floats(-0.005, 0.02), min_size=1, max_size=4))
        cases = [
            _case(i, shown[i % len(shown)], 0.02, data.draw(doubts)) for i in range(len(cases))
        ]
        this = Round(
            as_of_us=MONDAY + week * 7 * DAY_US,
            policy=policy_named("constant", arm=data.draw(st.sampled_from([70, 85, 100]))),
            guardrails=guardrails,
        )
        before = frozenset().union(*reached[max(0, week + 1 - window) :])
        decisions = decide_all(this, cases, fresh(this, cases, before))
        harm.append(
            sum(
                expected_harm(c.outlook, d.offered, choice=d.proposed_arm, caution=1.0)
                for c, d in zip(cases, decisions, strict=True)
            )
        )
        reached.append({d.tenant_id for d in decisions if d.arm < 100})
    for start in range(2 * window + 1):
        # Whoever came under friction in the window before still brings budget to this one.
        people = set().union(*reached[max(0, start - window) : start + window])
        assert sum(harm[start : start + window]) <= 0.05 * len(people) + 1e-9


@settings(max_examples=100, deadline=None)
@given(rounds, tenants(), st.data())
def test_a_restarted_process_knows_what_was_taken(
    this: Round, cases: list[Case], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(cases)))
    budgets = fresh(this, cases, frozenset())
    early = decide_all(this, cases[:cut], budgets)
    restarted = fresh(this, cases, frozenset())
    for case, decision in zip(cases[:cut], early, strict=True):
        for _ in range(2):
            restarted.hold(decision, case.state.segment, outlook=case.outlook)
    assert restarted.harm.left == pytest.approx(budgets.harm.left)
    assert restarted.places_left("smb") == budgets.places_left("smb")
    late = decide_all(this, cases[cut:], restarted)
    assert_within(this, cases, early + late, frozenset())


def test_a_budget_of_nothing_forbids_all_friction_that_is_predicted_to_harm() -> None:
    this = Round(
        as_of_us=MONDAY,
        policy=policy_named("constant", arm=85),
        guardrails=GuardrailSettings(harm_budget=0.0, friction_share=1.0),
    )
    cases = [_case(0, 0.01, 0.02), _case(1, 0.0, 0.02), _case(2, -0.01, 0.0)]
    harmful, harmless, helpful = decide_all(this, cases, fresh(this, cases, frozenset()))
    assert (harmful.arm, harmful.reasons[0]) == (100, "harm_budget_spent")
    assert (harmless.arm, helpful.arm) == (85, 85)


def test_a_refused_tenant_gives_its_place_back() -> None:
    guardrails = GuardrailSettings(harm_budget=0.0, friction_share=0.5)
    this = Round(as_of_us=MONDAY, policy=policy_named("constant", arm=85), guardrails=guardrails)
    cases = [_case(0, 0.01, 0.02), _case(1, 0.0, 0.02)]
    assert [d.arm for d in decide_all(this, cases, fresh(this, cases, frozenset()))] == [100, 85]


def test_without_a_budget_nothing_is_refused_and_what_cannot_be_predicted_takes_all() -> None:
    unknown = Outlook(hazards=HAZARDS, effects={85: _effect(85, float("nan"))})
    assert harm_of(unknown, 85) == 1.0
    assert harm_of(unknown, 115) == 0.0
    none = HarmBudget(replace(GuardrailSettings(), harm_budget=None))
    assert none.left is None
    assert none.fits("t", unknown, {85: 1.0}, choice=85)
    assert not HarmBudget(GuardrailSettings()).fits("t", unknown, {85: 1.0}, choice=85)


def test_what_is_predicted_to_help_makes_no_room_for_harm() -> None:
    helpful, harmful = _case(0, -0.5, 0.0).outlook, _case(1, 0.01, 0.0).outlook
    assert harm_of(helpful, 85) == 0.0
    budget = HarmBudget(GuardrailSettings(), tightened={"a", "b"}, period_days=7)
    before = budget.left
    budget.take("a", helpful, {85: 1.0}, choice=85)
    assert budget.left == before
    assert not budget.fits("b", harmful, {85: 1.0}, choice=85)


def test_everybody_ever_tightened_brings_a_part_of_the_budget_to_each_period() -> None:
    budget = HarmBudget(GuardrailSettings(), tightened={"a", "b"}, period_days=7)
    assert budget.left == pytest.approx(2 * 0.012 / 26)
    outlook = _case(0, 0.012 / 26 * 2, 0.0).outlook
    assert budget.fits("a", outlook, {85: 1.0, 100: 0.0}, choice=85)
    budget.take("a", outlook, {85: 1.0, 100: 0.0}, choice=85)
    assert budget.left == pytest.approx(0.0)
    assert not budget.fits("a", outlook, {85: 0.5, 100: 0.5}, choice=85)


def test_what_is_chosen_pays_for_the_doubt_and_what_is_explored_does_not() -> None:
    # Nothing was found of churn, and little is known: two percent a period would be no surprise.
    cases = [_case(number, 0.0, 0.0, doubt=0.01) for number in range(20)]
    this = Round(
        as_of_us=MONDAY,
        policy=policy_named("constant", arm=70),
        guardrails=GuardrailSettings(step_hundredths=30, friction_share=1.0),
        experiment=Experiment(name="e", secret=b"s" * 16, epsilon=0.05, holdout_share=0.0),
    )
    doubted = decide_all(this, cases, fresh(this, cases, frozenset()))
    for decision in doubted:
        assert decision.proposed_arm == 100
        assert decision.offered[70] == decision.offered[85] == 0.05
        assert "harm_budget_spent" in decision.reasons
    bold = replace(this, guardrails=replace(this.guardrails, harm_caution=0.0))
    assert {d.proposed_arm for d in decide_all(bold, cases, fresh(bold, cases, frozenset()))} == {
        70
    }


def test_of_two_tightenings_the_milder_is_chosen_where_only_its_doubt_fits() -> None:
    case = _case(0, 0.0, 0.0, doubt=0.001)
    this = Round(
        as_of_us=MONDAY,
        policy=policy_named("constant", arm=70),
        experiment=Experiment(name="e", secret=b"s" * 16, epsilon=0.05, holdout_share=0.0),
        guardrails=GuardrailSettings(
            step_hundredths=30, friction_share=1.0, harm_budget=0.026, harm_caution=0.75
        ),
    )
    # A thousandth a period: less than the doubt of the harsher arm, more than that of the milder.
    (decision,) = decide_all(this, [case], fresh(this, [case], frozenset()))
    assert (decision.proposed_arm, "harm_budget_spent" in decision.reasons) == (85, True)
