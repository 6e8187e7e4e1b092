"""Tenants, rounds and decisions of every sort, for the properties of deciding."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from flyball.arm import NEUTRAL, ArmGrid
from flyball.budget import Budgets
from flyball.case import Case
from flyball.decision import Assignment, Decision, Mode
from flyball.economics import Economics
from flyball.experiment import Experiment
from flyball.guardrail_settings import GuardrailSettings
from flyball.instant import DAY_US, HOUR_US, parse_instant
from flyball.money import TenantMoney
from flyball.outlook import ArmEffect, Estimate, Hazards, Outlook, Trust
from flyball.override import Override, OverrideKind
from flyball.plan import Limit
from flyball.policies.registry import policy_named
from flyball.policy import Policy
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


def chosen(arm: int | None, **changes: object) -> Override:
    fields: dict[str, Any] = {
        "override_id": "o1", "tenant_id": "t1", "kind": OverrideKind.CHOOSE, "arm": arm,
        "author": "a", "reason": "r", "created_us": MONDAY - DAY_US,
        "expires_us": MONDAY + 3 * DAY_US,
    }  # fmt: skip
    return Override(**{**fields, **changes})
