"""What is told of a decision agrees with what gateways are given to enforce."""

from __future__ import annotations

import pytest

from commands.decision_output import decision_row
from flyball.decision import Assignment, Decision, Mode
from flyball.limit import Limit, LimitKind
from flyball.plan import Plan
from flyball.tenant import Account
from serving.facts import Facts
from serving.publication import entries_of, primary_floors

NOW = 1_700_000_000_000_000
SPACE = Limit(base=1_000, contract=500, kind=LimitKind.STORAGE)
PACE = Limit(base=100, contract=70)


def decision(tenant: str, arm: int = 70) -> Decision:
    return Decision(
        decision_id=f"d_{tenant}", tenant_id=tenant, organisation=tenant, mode=Mode.LIVE,
        assignment=Assignment.DRAWN, period_start_us=NOW, period_days=7, decided_us=NOW, arm=arm,
        served_arm=arm, proposed_arm=arm, offered={arm: 1.0}, propensity=0.5,
        reasons=("upgrade_effect_outweighs_churn",), policy="value", base_limit=1_000,
        contract_limit=500,
    )  # fmt: skip


def facts(*tenants: str, primary: str = "storage.bytes") -> Facts:
    limits = {"storage.bytes": SPACE, "api.requests": PACE}
    plan = Plan(
        plan="vault", rank=1, monthly_price_minor=100, currency="USD", primary_meter=primary,
        limits=limits,
    )  # fmt: skip
    accounts = {
        name: Account(
            tenant_id=name, plan="vault", created_us=0, effective_us=0, known_us=0,
            base_limit=1_000,
        )
        for name in tenants
    }  # fmt: skip
    return Facts(
        as_of_us=NOW, accounts=accounts, plans={"vault": plan}, economics=None,
        urgent=frozenset(), incidents=(), overrides={}, previous={}, upgraded_us={},
        overdraft_periods={},
    )  # fmt: skip


@pytest.mark.parametrize(("stored", "limit"), [(100.0, 700), (931.0, 940), (1_500.0, 1_000)])
def test_a_primary_storage_limit_is_told_as_it_is_enforced(stored: float, limit: int) -> None:
    one = decision("t1")
    about, held = facts("t1"), {"t1": {"storage.bytes": stored}}
    (entry,) = entries_of([one], about, held)
    assert entry.effective_limits is not None
    assert entry.effective_limits[0].effective_limit == max(limit, int(stored))
    floor = primary_floors([one], about, held).get("t1", 0)
    assert one.effective_limit_above(floor) == entry.effective_limits[0].effective_limit
    row = decision_row(one, entry.effective_limits)
    assert row["effectiveLimit"] == entry.effective_limits[0].effective_limit
    assert row["enforceFriction"] is (stored < 1_000)


def test_floors_are_known_under_every_arm_and_of_nobody_who_stores_nothing() -> None:
    about = facts("t1", "t2", "t3")
    held = {"t1": {"storage.bytes": 420.0}, "t2": {"storage.bytes": 0.0}}
    ones = [decision(name) for name in ("t1", "t2", "t3")]
    # What t3 stores is not known: then nobody knows what a tighter limit would cut off.
    assert primary_floors(ones, about, held) == {"t1": 42, "t3": 100}


def test_nobody_has_a_floor_where_storage_is_not_the_primary_meter() -> None:
    about = facts("t1", primary="api.requests")
    assert primary_floors([decision("t1")], about, {"t1": {"storage.bytes": 999.0}}) == {}
