"""A tenant's money: what it pays, and what moving to the next plan up or down would change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flyball.economics import Economics
from flyball.plan import Plan
from flyball.tenant import Account


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantMoney:
    """Monthly amounts in minor units of the economics' currency; None where unknown.

    Parameters
    ----------
    mrr_minor:
        Monthly recurring revenue (≥ 0).
    upgrade_gain_minor:
        What the next plan up would add to it (≥ 0; 0 on the highest plan).
    downgrade_loss_minor:
        What the next plan down would take from it (≥ 0; 0 on the lowest plan).
    unit_cost_minor:
        Cost of one unit of the plan's primary meter.
    """

    mrr_minor: float | None = None
    upgrade_gain_minor: float | None = None
    downgrade_loss_minor: float | None = None
    unit_cost_minor: float = 0.0


#: Nothing is known: the value policy refuses.
NO_MONEY = TenantMoney()


def tenant_money(account: Account, plans: Mapping[str, Plan], economics: Economics) -> TenantMoney:
    """What ``account`` is worth a month, and what the neighbouring plans would change.

    The account's own revenue counts; without it, its plan's price. A neighbour is the plan with
    the next higher (lower) rank; of several with that rank, the cheapest one up and the dearest
    one down, so that neither gain nor loss is exaggerated. Amounts in a currency without a rate
    are unknown.

    Parameters
    ----------
    plans:
        Plan name to plan, as of the same time.
    """
    plan = plans.get(account.plan)
    unit_cost = 0.0 if plan is None else economics.unit_cost_minor.get(plan.primary_meter, 0.0)
    revenue = _revenue(account, plan, economics)
    if plan is None or revenue is None:
        return TenantMoney(mrr_minor=revenue, unit_cost_minor=unit_cost)
    above = _neighbours(plan, plans, up=True)
    below = _neighbours(plan, plans, up=False)
    return TenantMoney(
        mrr_minor=revenue,
        upgrade_gain_minor=_difference(above, revenue, economics, up=True),
        downgrade_loss_minor=_difference(below, revenue, economics, up=False),
        unit_cost_minor=unit_cost,
    )


def _revenue(account: Account, plan: Plan | None, economics: Economics) -> float | None:
    if account.mrr_minor is not None:
        return economics.convert_minor(float(account.mrr_minor), account.currency)
    if plan is None:
        return None
    return economics.convert_minor(float(plan.monthly_price_minor), plan.currency)


def _neighbours(plan: Plan, plans: Mapping[str, Plan], *, up: bool) -> list[Plan]:
    beyond = [p for p in plans.values() if (p.rank > plan.rank if up else p.rank < plan.rank)]
    if not beyond:
        return []
    rank = min(p.rank for p in beyond) if up else max(p.rank for p in beyond)
    return [p for p in beyond if p.rank == rank]


def _difference(
    neighbours: list[Plan], revenue: float, economics: Economics, *, up: bool
) -> float | None:
    if not neighbours:
        return 0.0
    prices = [economics.convert_minor(float(p.monthly_price_minor), p.currency) for p in neighbours]
    known = [price for price in prices if price is not None]
    if len(known) < len(prices):
        return None
    return max(0.0, min(known) - revenue) if up else max(0.0, revenue - max(known))
