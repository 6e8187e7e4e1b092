"""From a pass to what the snapshot carries of it: decisions with every limit of their plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from flyball.decision import Decision
from flyball.effective import storage_floor, storage_floors
from flyball.limit import LimitKind
from flyball.plan import Plan
from flyball.tenant import Account
from serving.facts import Facts
from serving.snapshot.entry import Entry, entry_of
from serving.stored import Stored


def entries_of(decisions: Sequence[Decision], facts: Facts, stored: Stored) -> Iterator[Entry]:
    """One snapshot entry per decision.

    Storage limits get the floor that keeps what the tenant has ``stored``.
    """
    # One tuple for each plan: the snapshot's writer knows it again by identity.
    limits = {name: plan.meter_limits(plan.primary_limit) for name, plan in facts.plans.items()}
    storing = {name for name, plan in facts.plans.items() if _stores(plan)}
    for decision in decisions:
        account = facts.accounts.get(decision.tenant_id)
        if account is None or account.plan not in limits or decision.base_limit is None:
            yield entry_of(decision)
            continue
        known = limits[account.plan]
        floors: tuple[int, ...] = ()
        if account.plan in storing:
            floors = _floors(decision, facts.plans[account.plan], account, stored)
        yield entry_of(decision, known, floors)


def primary_floors(decisions: Iterable[Decision], facts: Facts, stored: Stored) -> dict[str, int]:
    """Tenant to the lowest multiplier of its primary meter (hundredths), where that is storage.

    Under whatever arm: what is served never needs it below its own, but other arms are asked about.
    Without those who store nothing, and nobody where no plan's primary meter is storage.
    """
    storing = {name for name, plan in facts.plans.items() if _stores_first(plan)}
    if not storing:
        return {}
    floors = {}
    for decision in decisions:
        account = facts.accounts.get(decision.tenant_id)
        if account is None or account.plan not in storing or decision.base_limit is None:
            continue
        plan = facts.plans[account.plan]
        amount = stored.get(decision.tenant_id, {}).get(plan.primary_meter)
        floor = storage_floor(account.primary_limit(plan).base, amount)
        if floor:
            floors[decision.tenant_id] = floor
    return floors


def _floors(decision: Decision, plan: Plan, account: Account, stored: Stored) -> tuple[int, ...]:
    own = plan.meter_limits(account.primary_limit(plan))
    return storage_floors(own, decision.served_arm, stored.get(decision.tenant_id, {}))


def _stores_first(plan: Plan) -> bool:
    return plan.primary_limit.kind is LimitKind.STORAGE


def _stores(plan: Plan) -> bool:
    return any(limit.kind is LimitKind.STORAGE for limit in plan.limits.values())
