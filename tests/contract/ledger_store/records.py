"""The few records that the suite plays with."""

from __future__ import annotations

from flyball.decision import Assignment, Decision, Mode, decision_id
from flyball.instant import DAY_US, parse_instant
from flyball.plan import plan_from
from flyball.tenant import Account
from ledger.records import PlanEntry

NOW = parse_instant("2026-01-05T00:00:00Z")


def plan(name: str = "free", *, base: int = 1000, effective_us: int | None = None) -> PlanEntry:
    """A plan whose contract is 70 % of its base."""
    entry = {
        "plan": name,
        "rank": 1,
        "monthly_price_minor": 100,
        "currency": "USD",
        "primary_meter": "api.requests",
        "limits": {"api.requests": {"base": base, "contract": base * 7 // 10}},
    }
    return PlanEntry(plan=plan_from(entry), effective_us=effective_us)


def account(
    tenant_id: str = "t1",
    *,
    plan: str = "free",
    at: int = NOW,
    known: int | None = None,
    aliases: tuple[str, ...] = (),
    segment: str = "",
) -> Account:
    """An account created a year ago that reads so since ``at``."""
    return Account(
        tenant_id=tenant_id,
        plan=plan,
        created_us=NOW - 365 * DAY_US,
        effective_us=at,
        known_us=at if known is None else known,
        aliases=aliases,
        segment=segment,
    )


def decision(
    tenant_id: str = "t1", *, start: int = NOW, arm: int = 85, mode: Mode = Mode.LIVE
) -> Decision:
    """A drawn decision of a week."""
    return Decision(
        decision_id=decision_id(tenant_id, start, mode),
        tenant_id=tenant_id,
        organisation=tenant_id,
        mode=mode,
        assignment=Assignment.DRAWN,
        period_start_us=start,
        period_days=7,
        decided_us=start,
        arm=arm,
        served_arm=arm,
        proposed_arm=100,
        offered={85: 0.05, 100: 0.9, 115: 0.05},
        propensity=0.05,
        reasons=("explored",),
        policy="value",
        base_limit=1000,
        contract_limit=700,
        window_seconds=60,
        churn_probability=0.03,
        expected_dose={85: 0.1, 100: 0.0},
        marginal_propensity=0.045,
        overdraft_requests=12.5,
    )
