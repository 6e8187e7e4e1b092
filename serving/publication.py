"""From a pass to what the snapshot carries of it: decisions with every limit of their plan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flyball.decision import Decision
from flyball.effective import storage_floors
from flyball.limit import LimitKind
from flyball.plan import Plan
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
            own = facts.plans[account.plan].meter_limits(
                account.primary_limit(facts.plans[account.plan])
            )
            floors = storage_floors(own, decision.served_arm, stored.get(decision.tenant_id, {}))
        yield entry_of(decision, known, floors)


def _stores(plan: Plan) -> bool:
    return any(limit.kind is LimitKind.STORAGE for limit in plan.limits.values())
