"""Accounts and subscriptions of a week as rows: who came, what changed, who left."""

from __future__ import annotations

import numpy as np

from simulation.calendar_week import instant
from simulation.catalogue import OWNERS, PLANS, REGION_CURRENCY, REGIONS, SEGMENTS
from simulation.population import Population
from simulation.response import CHURN, DOWNGRADE, UPGRADE
from simulation.state import NEVER, base_limit, contract_percent, mrr_minor
from simulation.week import Week

Row = dict[str, object]

_KIND = {UPGRADE: "upgraded", DOWNGRADE: "downgraded", CHURN: "churned"}


def arrivals(people: Population, lived: Week, told: int) -> tuple[list[Row], list[Row]]:
    """First account versions and ``started`` rows of the tenants from row ``told`` on."""
    accounts, subscriptions = [], []
    for row in range(told, len(lived.arm)):
        account = _account(people, row, int(people.first_plan[row]))
        account["seats"] = int(people.seats[row])
        account["renewal_at"] = _instant_or_none(int(lived.renewal_before[row]))
        accounts.append(account)
        subscriptions.append(_subscription(account, "started"))
    return accounts, subscriptions


def changes(people: Population, lived: Week) -> tuple[list[Row], list[Row]]:
    """New account versions and subscription rows of those who changed plan, renewed or left."""
    accounts, subscriptions = [], []
    for row in np.flatnonzero((lived.outcome >= 0) | lived.renewed).tolist():
        outcome = int(lived.outcome[row])
        account = _account(people, row, int(lived.plan_after[row]))
        account["seats"] = int(lived.seats_after[row])
        account["renewal_at"] = _instant_or_none(int(lived.renewal_after[row]))
        hour = lived.outcome_hour[row] if outcome >= 0 else lived.renewal_before[row]
        account["effective_at"] = instant(int(hour))
        subscriptions.append(_subscription(account, _KIND.get(outcome, "renewed")))
        if outcome != CHURN:
            accounts.append(account)
    return accounts, subscriptions


def _account(people: Population, row: int, plan: int) -> Row:
    """One version of an account on ``plan``, effective from its creation."""
    plans = np.array([plan])
    base = int(base_limit(people, plans, row)[0])
    promised = int(contract_percent(people, plans, row)[0])
    special = base != PLANS[plan].requests_per_hour or promised != 70
    region = tuple(REGIONS)[int(people.region[row])]
    segment = SEGMENTS[int(people.segment[row])]
    created = instant(int(people.created_hour[row]))
    tenant = people.tenant_id[row]
    return {
        "tenant_id": tenant,
        "plan": PLANS[plan].name,
        "created_at": created,
        "name": f"{segment.replace('_', ' ').title()} {tenant[4:]}",
        "owner": OWNERS[row % len(OWNERS)],
        "region": region,
        "segment": segment,
        "parent_org": people.parent_org[row] or None,
        "mrr_minor": int(mrr_minor(people, plans, row)[0]),
        "currency": REGION_CURRENCY[region],
        "base_limit": base if special else None,
        "contract_limit": base * promised // 100 if special else None,
        "aliases": [f"key_{tenant[4:]}"],
        "effective_at": created,
    }


def _subscription(account: Row, kind: str) -> Row:
    return {
        "tenant_id": account["tenant_id"],
        "time": account["effective_at"],
        "kind": kind,
        "plan": account["plan"],
        "mrr_minor": 0 if kind == "churned" else account["mrr_minor"],
    }


def _instant_or_none(hour: int) -> str | None:
    return None if hour >= NEVER // 2 else instant(hour)
