"""What the ledger says about tenants at an as-of time: everything but usage and models."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from flyball.decision import Decision, Mode
from flyball.economics import Economics
from flyball.instant import DAY_US, HOUR_US, period_start
from flyball.override import Override, override_in_force
from flyball.plan import Limit, Plan
from flyball.tenant import Account
from ledger.records import Incident, Severity
from ledger.sqlite_ledger import SqliteLedger


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Accounts in force and what surrounds them, as known at ``as_of_us``.

    ``accounts`` leaves out tenants that have churned. ``previous`` holds each tenant's latest
    decision of the mode; the others hold tenants only where there is something to say.
    ``tightened`` came under friction within the harm budget's window, before this period, and
    with models that predicted what it would do.
    """

    as_of_us: int
    accounts: Mapping[str, Account]
    plans: Mapping[str, Plan]
    economics: Economics | None
    urgent: frozenset[str]
    incidents: tuple[Incident, ...]
    overrides: Mapping[str, Override]
    previous: Mapping[str, Decision]
    upgraded_us: Mapping[str, int]
    overdraft_periods: Mapping[str, int]
    tightened: frozenset[str] = frozenset()

    def limits(self, account: Account) -> tuple[Limit, ...]:
        """Limits in force, the primary meter's first; empty where the plan is not known."""
        plan = self.plans.get(account.plan)
        if plan is None:
            return ()
        others = (limit for meter, limit in plan.limits.items() if meter != plan.primary_meter)
        return (account.primary_limit(plan), *others)

    def incident_at(self, account: Account) -> bool:
        """Whether an incident under way concerns the tenant."""
        scopes = {("all", ""), ("tenant", account.tenant_id), ("region", account.region)}
        return any(
            item.scope_kind == "all" or (item.scope_kind, item.scope) in scopes
            for item in self.incidents
        )


def read_facts(
    ledger: SqliteLedger,
    connection: Any,
    *,
    as_of_us: int,
    as_of_hour: int,
    mode: Mode,
    period_days: int,
    overdraft_window_periods: int,
    harm_window_weeks: int = 0,
    tenants: Collection[str] | None = None,
    previous: Mapping[str, Decision] | None = None,
) -> Facts:
    """Read the ledger once for ``tenants`` (None: all).

    Parameters
    ----------
    connection:
        Holds the relations ``subscription`` and ``decision`` of those tenants.
    as_of_hour:
        Subscriptions and decisions count before it, as they do for features.
    overdraft_window_periods:
        Over how many periods, the coming one included, overdraft is counted.
    harm_window_weeks:
        Over how many weeks friction is looked for; 0: not at all.
    previous:
        Each tenant's latest decision; None reads the ledger's of ``mode``.
    """
    accounts = ledger.accounts_as_of(as_of_us, tenants)
    started_us = period_start(as_of_us, period_days)
    window_us = (overdraft_window_periods - 1) * period_days * DAY_US
    upgraded, churned = _subscriptions(connection, as_of_hour)
    tickets = ledger.open_tickets(as_of_us, tenants)
    if previous is None:
        previous = ledger.current_decisions(
            as_of_us, tenants, since_us=started_us - 2 * period_days * DAY_US, mode=mode
        )
    return Facts(
        as_of_us=as_of_us,
        accounts={
            name: account
            for name, account in sorted(accounts.items())
            if name not in churned and account.created_us <= as_of_us
        },
        plans=ledger.plans_as_of(as_of_us),
        economics=ledger.economics(),
        urgent=frozenset(
            tenant
            for tenant, items in tickets.items()
            if any(item.severity is Severity.URGENT for item in items)
        ),
        incidents=tuple(ledger.open_incidents(as_of_us)),
        overrides=_overrides(ledger, as_of_us, tenants),
        previous=previous,
        upgraded_us=upgraded,
        overdraft_periods=_overdraft(connection, started_us - window_us, started_us),
        # This period is one of the window's; of a window of 0 weeks nothing is left.
        tightened=ledger.tightened_tenants(
            started_us + (period_days - harm_window_weeks * 7) * DAY_US, started_us
        ),
    )


def _overrides(
    ledger: SqliteLedger, as_of_us: int, tenants: Collection[str] | None
) -> dict[str, Override]:
    by_tenant: dict[str, list[Override]] = {}
    for override in ledger.overrides(tenants, active_at_us=as_of_us):
        by_tenant.setdefault(override.tenant_id, []).append(override)
    found = {name: override_in_force(items, as_of_us) for name, items in by_tenant.items()}
    return {name: override for name, override in found.items() if override is not None}


def _subscriptions(connection: Any, as_of_hour: int) -> tuple[dict[str, int], set[str]]:
    """When each tenant last upgraded (µs), and who has left for good."""
    rows = connection.execute(
        "SELECT tenant_id, max(event_hour) FILTER (kind = 'upgraded'),"
        " arg_max(kind, (event_hour, version)) = 'churned' FROM subscription"
        f" WHERE event_hour < {as_of_hour} AND known_hour < {as_of_hour} GROUP BY tenant_id"
    ).fetchall()
    upgraded = {tenant: hour * HOUR_US for tenant, hour, _ in rows if hour is not None}
    return upgraded, {tenant for tenant, _, churned in rows if churned}


def _overdraft(connection: Any, from_us: int, to_us: int) -> dict[str, int]:
    """Periods in which each tenant was assigned more than its base limit."""
    rows = connection.execute(
        "SELECT tenant_id, count(DISTINCT start_hour) FROM decision WHERE arm > 100"
        f" AND start_hour >= {from_us // HOUR_US} AND start_hour < {to_us // HOUR_US}"
        " GROUP BY tenant_id"
    ).fetchall()
    return dict(rows)
