"""The money of an arm, against sums worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.budget import extra_requests
from flyball.economics import Economics
from flyball.money import NO_MONEY, TenantMoney, tenant_money
from flyball.outlook import ArmEffect, Estimate, Hazards, Outlook, Trust
from flyball.plan import Limit, Plan
from flyball.policies.registry import policy_named
from flyball.policy import TenantView
from flyball.reason import Reason
from flyball.tenant import Account
from flyball.value import advantage, lasting_months

HAZARDS = Hazards(upgrade=0.02, downgrade=0.0, churn=0.01)
MONEY = TenantMoney(mrr_minor=10_000.0, upgrade_gain_minor=5_000.0, downgrade_loss_minor=3_000.0)
ECONOMICS = Economics(margin=0.8, discount_per_year=0.0, value_horizon_weeks=52)


def effect(arm: int, up: float = 0.0, down: float = 0.0, churn: float = 0.0, sd: float = 0.0,
           dose: float | None = 0.1) -> ArmEffect:  # fmt: skip
    return ArmEffect(
        arm=arm, dose=dose, trust=Trust.POOLED, upgrade=Estimate(up, sd),
        downgrade=Estimate(down, sd), churn=Estimate(churn, sd),
    )  # fmt: skip


def outlook(*effects: ArmEffect, demand: float = 0.0) -> Outlook:
    return Outlook(hazards=HAZARDS, effects={e.arm: e for e in effects}, demand_per_period=demand)


def months(hazard: float) -> float:
    """Σ (1 - h)^k over 52 weeks, summed term by term."""
    return sum((1 - hazard) ** k for k in range(52)) * 7 / (365.25 / 12)


def test_lasting_months_is_the_discounted_sum_of_survival() -> None:
    found = lasting_months(0.01, period_days=7, horizon_weeks=52, discount_per_year=0.1)
    factor = 1.1 ** (-7 / 365.25)
    expected = sum((factor * 0.99) ** k for k in range(52)) * 7 / (365.25 / 12)
    assert found == pytest.approx(expected, rel=1e-12)


@given(st.floats(0, 1), st.integers(1, 28), st.integers(1, 520), st.floats(0, 1))
def test_lasting_months_lies_between_one_period_and_the_horizon(
    hazard: float, days: int, weeks: int, discount: float
) -> None:
    found = lasting_months(
        hazard, period_days=days, horizon_weeks=weeks, discount_per_year=discount
    )
    period = days / (365.25 / 12)
    assert period * (1 - 1e-9) <= found <= period * max(1, round(weeks * 7 / days)) * (1 + 1e-9)


def test_the_advantage_is_the_formula_of_the_design() -> None:
    found = advantage(outlook(effect(85, up=0.03, down=0.001, churn=0.004)), MONEY, 85, ECONOMICS)
    assert isinstance(found, Estimate)
    expected = 0.8 * (
        0.03 * 5_000 * months(0.03) - 0.004 * 10_000 * months(0.01) - 0.001 * 3_000 * months(0.01)
    )
    assert found.mean == pytest.approx(expected, rel=1e-9)
    assert found.sd == 0.0


def test_uncertainty_of_the_three_outcomes_adds_in_squares() -> None:
    found = advantage(outlook(effect(85, sd=0.01)), MONEY, 85, ECONOMICS)
    assert isinstance(found, Estimate)
    parts = (5_000 * months(0.03), 10_000 * months(0.01), 3_000 * months(0.01))
    assert found.sd == pytest.approx(0.8 * 0.01 * sum(p * p for p in parts) ** 0.5, rel=1e-9)


def test_extra_requests_cost_their_unit_price() -> None:
    priced = replace(MONEY, unit_cost_minor=0.02)
    relaxed = outlook(effect(115, dose=-0.05), demand=100_000.0)
    found = advantage(relaxed, priced, 115, ECONOMICS)
    assert isinstance(found, Estimate)
    assert found.mean == pytest.approx(-0.05 * 100_000 * 0.02)


@given(st.floats(0, 1e6), st.floats(1, 1e6), st.sampled_from([115, 130, 200]))
def test_an_unknown_dose_costs_at_least_what_any_demand_could_use(
    demand: float, base: float, arm: int
) -> None:
    unknown = Outlook(hazards=None, effects={}, demand_per_period=demand)
    let_through = max(0.0, min(demand, base * arm / 100) - base)
    assert extra_requests(unknown, arm) >= let_through * (1 - 1e-9)


def test_a_blocked_share_brings_support_contacts_and_relief_earns_none() -> None:
    costly = Economics(margin=0.8, discount_per_year=0.0, support_cost_minor=1_500.0)
    tight = advantage(outlook(effect(85, dose=0.1)), MONEY, 85, costly)
    relaxed = advantage(outlook(effect(115, dose=-0.1)), MONEY, 115, costly)
    unknown = advantage(outlook(effect(70, dose=None)), MONEY, 70, costly)
    assert isinstance(tight, Estimate)
    assert isinstance(relaxed, Estimate)
    assert isinstance(unknown, Estimate)
    assert tight.mean == pytest.approx(-150.0)
    assert relaxed.mean == 0.0
    assert unknown.mean == pytest.approx(-450.0)


def test_an_arm_that_nobody_can_feel_has_only_its_cost() -> None:
    felt = outlook(effect(85, up=0.5, dose=0.005))
    unfelt = outlook(effect(85, up=0.5, dose=0.0049))
    assert advantage(felt, MONEY, 85, ECONOMICS) != Estimate(0.0, 0.0)
    assert advantage(unfelt, MONEY, 85, ECONOMICS) == Estimate(0.0, 0.0)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"outlook": Outlook(hazards=None, effects={})}, Reason.NO_MODEL),
        ({"economics": None}, Reason.NO_ECONOMICS),
        ({"money": None}, Reason.NO_REVENUE),
        ({"money": NO_MONEY}, Reason.NO_REVENUE),
        ({"money": replace(MONEY, upgrade_gain_minor=None)}, Reason.NO_REVENUE),
        ({"outlook": outlook()}, Reason.NO_EFFECT),
        ({"outlook": outlook(ArmEffect(arm=85, dose=0.1, trust=Trust.NONE))}, Reason.NO_EFFECT),
    ],
)
def test_what_is_missing_is_a_reason_and_the_policy_stays(
    change: dict[str, object], reason: Reason
) -> None:
    known: dict[str, object] = {
        "outlook": outlook(effect(85, up=0.1)), "money": MONEY, "economics": ECONOMICS,
    }  # fmt: skip
    known.update(change)
    found = advantage(known["outlook"], known["money"], 85, known["economics"])  # type: ignore[arg-type]
    assert found is reason
    view = TenantView(tenant_id="t", arms=(85, 100), **known)  # type: ignore[arg-type]
    assert policy_named("value").propose(view)[:2] == (100, (reason,))


def view(*effects: ArmEffect, demand: float = 0.0, **changes: object) -> TenantView:
    base = TenantView(
        tenant_id="t", arms=(70, 85, 100, 115, 130), outlook=outlook(*effects, demand=demand),
        money=MONEY, economics=ECONOMICS,
    )  # fmt: skip
    return replace(base, **changes)  # type: ignore[arg-type]


def test_value_takes_the_best_conservative_arm_and_stays_unless_it_pays() -> None:
    policy = policy_named("value")
    better = view(effect(70, up=0.02), effect(85, up=0.03), effect(115, churn=-0.001))
    proposal = policy.propose(better)
    assert (proposal.arm, proposal.reasons) == (85, (Reason.UPGRADE_EFFECT_OUTWEIGHS_CHURN,))
    assert proposal.advantage is not None
    unsure = view(effect(85, up=0.03, sd=0.08))
    assert policy.propose(unsure).arm == 100
    assert policy_named("value", caution=0.0).propose(unsure).arm == 85
    harmful = view(effect(85, up=0.03, churn=0.02))
    assert policy.propose(harmful)[:2] == (100, (Reason.NO_ARM_PAYS,))
    relief = view(effect(115, churn=-0.02, dose=-0.1))
    assert policy.propose(relief)[:2] == (115, (Reason.RELIEF_OUTWEIGHS_COST,))


def test_value_breaks_ties_towards_neutral_and_never_takes_an_arm_without_evidence() -> None:
    policy = policy_named("value")
    tie = view(effect(70, up=0.03), effect(85, up=0.03))
    assert policy.propose(tie).arm == 85
    nothing = view(effect(85), effect(115))
    assert policy.propose(nothing).arm == 100
    blind = ArmEffect(arm=70, dose=0.1, trust=Trust.NONE, upgrade=Estimate(1.0, 0.0))
    assert policy.propose(view(blind, effect(85, up=0.03))).arm == 85
    broken = view(effect(85, up=float("nan")), effect(70, up=float("inf")))
    assert policy.propose(broken).arm == 100


def plan(name: str, rank: int, price: int, currency: str = "USD") -> Plan:
    return Plan(
        plan=name, rank=rank, monthly_price_minor=price, currency=currency,
        primary_meter="api.requests", limits={"api.requests": Limit(base=10, contract=7)},
    )  # fmt: skip


PLANS = {
    p.plan: p
    for p in (plan("free", 0, 0), plan("pro", 1, 9_900), plan("max", 2, 29_900),
              plan("max_eu", 2, 25_000, "EUR"))
}  # fmt: skip


def account(plan_name: str, mrr: int | None = None, currency: str = "USD") -> Account:
    return Account(
        tenant_id="t", plan=plan_name, created_us=1, effective_us=1, known_us=1, mrr_minor=mrr,
        currency=currency,
    )  # fmt: skip


def test_money_comes_from_the_account_or_its_plan_and_the_plans_beside_it() -> None:
    economics = Economics(fx={"EUR": 1.08}, unit_cost_minor={"api.requests": 0.5})
    middle = tenant_money(account("pro"), PLANS, economics)
    assert middle == TenantMoney(
        mrr_minor=9_900.0, upgrade_gain_minor=27_000.0 - 9_900.0, downgrade_loss_minor=9_900.0,
        unit_cost_minor=0.5,
    )  # fmt: skip
    own = tenant_money(account("pro", 10_000, "EUR"), PLANS, economics)
    assert own.mrr_minor == pytest.approx(10_800.0)
    top = tenant_money(account("max", 40_000), PLANS, economics)
    assert (top.upgrade_gain_minor, top.downgrade_loss_minor) == (0.0, 30_100.0)
    bottom = tenant_money(account("free"), PLANS, economics)
    assert (bottom.mrr_minor, bottom.downgrade_loss_minor) == (0.0, 0.0)


def test_money_without_a_rate_or_a_plan_is_unknown_rather_than_zero() -> None:
    no_rate = Economics()
    assert tenant_money(account("pro"), PLANS, no_rate).upgrade_gain_minor is None
    assert tenant_money(account("max_eu"), PLANS, no_rate).mrr_minor is None
    lost = tenant_money(account("gone", 100), PLANS, no_rate)
    assert (lost.mrr_minor, lost.upgrade_gain_minor) == (100.0, None)
