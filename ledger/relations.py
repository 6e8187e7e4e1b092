"""The ledger's relations for DuckDB, as Arrow tables (docs/reference/data-model.md).

Each builder reads the ledger once and returns one table; ``tenants`` narrows it. Money is in major
units of the economics' currency, NULL where there is no rate; without economics it is taken as is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Protocol

import pyarrow as pa

from flyball.economics import Economics
from flyball.instant import HOUR_US
from ledger.limits import (
    ACCOUNT_COLUMNS,
    AccountVersion,
    limits_in_force,
    plan_versions,
    resolve_limits,
)
from ledger.sqlite_base import among

Tenants = Collection[str] | None


class Registrar(Protocol):
    """What is needed of a DuckDB connection."""

    def register(self, view_name: str, python_object: object) -> object:
        """Make an Arrow table readable under a name."""


class RelationSource(Protocol):
    """What is needed of a ledger: rows of a query, the economics, and what bare scopes mean."""

    @property
    def file(self) -> Any:
        """Gives ``rows(sql, bindings)``."""

    def economics(self, as_of_us: int | None = None) -> Economics | None:
        """The money rules, or None."""

    def scope_kinds(self, scopes: Iterable[str]) -> dict[str, str]:
        """What each bare incident scope means."""


_T, _B, _D = pa.string(), pa.int64(), pa.float64()

SCHEMAS: dict[str, pa.Schema] = {
    "account": pa.schema(
        {
            "tenant_id": _T, "effective_hour": _B, "known_hour": _B, "version": _B, "plan": _T,
            "created_hour": _B, "parent_org": _T, "organisation": _T, "segment": _T, "region": _T,
            "seats": _B, "mrr": _D, "renewal_hour": _B, "base_limit": _B, "contract_limit": _B,
            "window_seconds": _B, "primary_meter": _T,
        }
    ),
    "plan": pa.schema(
        {"plan": _T, "effective_hour": _B, "known_hour": _B, "version": _B, "rank": _B, "price": _D}
    ),
    "subscription": pa.schema(
        {
            "tenant_id": _T, "event_hour": _B, "known_hour": _B, "kind": _T, "plan": _T,
            "mrr": _D, "version": _B,
        }
    ),
    "decision": pa.schema(
        {
            "tenant_id": _T, "start_hour": _B, "known_hour": _B, "arm": _B, "propensity": _D,
            "period_days": _B, "mode": _T,
        }
    ),
    "ticket": pa.schema(
        {
            "tenant_id": _T, "opened_hour": _B, "known_hour": _B, "severity": _T,
            "closed_hour": _B,
        }
    ),
    "intervention": pa.schema(
        {"tenant_id": _T, "event_hour": _B, "known_hour": _B, "kind": _T}
    ),
    "incident": pa.schema(
        {"scope_kind": _T, "scope": _T, "from_hour": _B, "to_hour": _B, "known_hour": _B}
    ),
    "limit_in_force": pa.schema(
        {
            "tenant_id": _T, "meter": _T, "from_hour": _B, "base_limit": _B, "window_seconds": _B,
        }
    ),
}  # fmt: skip


def register_relations(
    connection: Registrar, ledger: RelationSource, tenants: Tenants = None
) -> None:
    """Register the seven relations of the feature executor under their names.

    ``plan`` and ``incident`` are always whole. ``limit_in_force`` is for tiles and separate.
    """
    for name, table in relation_tables(ledger, tenants).items():
        connection.register(name, table)


def relation_tables(ledger: RelationSource, tenants: Tenants = None) -> dict[str, pa.Table]:
    """Relation name to Arrow table."""
    return {
        "account": account_table(ledger, tenants),
        "plan": plan_table(ledger),
        "subscription": subscription_table(ledger, tenants),
        "decision": decision_table(ledger, tenants),
        "ticket": ticket_table(ledger, tenants),
        "intervention": intervention_table(ledger, tenants),
        "incident": incident_table(ledger),
    }


def _table(name: str, rows: Sequence[Sequence[Any]]) -> pa.Table:
    schema = SCHEMAS[name]
    columns = zip(*rows, strict=True) if rows else ([] for _ in schema)
    arrays = [pa.array(c, type=f.type) for c, f in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


class _Money:
    """Minor units of any currency as major units of the economics' one."""

    def __init__(self, economics: Economics | None) -> None:
        self._economics = economics

    def major(self, minor: int | None, currency: str) -> float | None:
        if minor is None:
            return None
        if self._economics is None:
            return minor / 100.0
        converted = self._economics.convert_minor(float(minor), currency)
        return None if converted is None else converted / 100.0


def _accounts(ledger: RelationSource, tenants: Tenants) -> Iterable[AccountVersion]:
    condition, bindings = among("tenant_id", tenants)
    rows = ledger.file.rows(
        f"SELECT {', '.join(ACCOUNT_COLUMNS)} FROM account WHERE {condition} "
        "ORDER BY tenant_id, effective_us, version",
        bindings,
    )
    return map(AccountVersion._make, rows)


def _plans(ledger: RelationSource) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = ledger.file.rows(
        "SELECT plan, effective_us, known_us, version, content FROM plan"
    )
    return found


def account_table(ledger: RelationSource, tenants: Tenants = None) -> pa.Table:
    """``account``: every version of every tenant, limits resolved."""
    money = _Money(ledger.economics())
    rows = []
    for row in resolve_limits(_accounts(ledger, tenants), plan_versions(_plans(ledger))):
        a = row.account
        rows.append(
            (
                a.tenant_id, a.effective_us // HOUR_US, row.visible_us // HOUR_US, row.order,
                a.plan, a.created_us // HOUR_US, a.parent_org, a.parent_org or a.tenant_id,
                a.segment, a.region, a.seats, money.major(a.mrr_minor, a.currency),
                None if a.renewal_us is None else a.renewal_us // HOUR_US, row.base, row.contract,
                row.window_seconds, row.meter,
            )
        )  # fmt: skip
    return _table("account", rows)


def limit_table(ledger: RelationSource, tenants: Tenants = None) -> pa.Table:
    """``limit_in_force``: what base limit a gateway enforced from which hour on."""
    resolved = resolve_limits(_accounts(ledger, tenants), plan_versions(_plans(ledger)))
    return _table("limit_in_force", list(limits_in_force(resolved)))


def plan_table(ledger: RelationSource) -> pa.Table:
    """``plan``: every version of every plan."""
    money = _Money(ledger.economics())
    rows: list[tuple[Any, ...]] = []
    for name, versions in sorted(plan_versions(_plans(ledger)).items()):
        for order, version in enumerate(versions, 1):
            price = money.major(version.plan.monthly_price_minor, version.plan.currency)
            rows.append(
                (
                    name, version.effective_us // HOUR_US, version.known_us // HOUR_US, order,
                    version.plan.rank, price,
                )
            )  # fmt: skip
    return _table("plan", rows)


def subscription_table(ledger: RelationSource, tenants: Tenants = None) -> pa.Table:
    """``subscription``: what happened; ``version`` counts a tenant's rows in order of time.

    Money is in the currency of the tenant's first account version.
    """
    condition, bindings = among("s.tenant_id", tenants)
    money = _Money(ledger.economics())
    rows = ledger.file.rows(
        f"SELECT s.tenant_id, s.time_us / {HOUR_US}, s.known_us / {HOUR_US}, s.kind, s.plan, "
        "s.mrr_minor, row_number() OVER "
        "(PARTITION BY s.tenant_id ORDER BY s.time_us, s.subscription_id), coalesce("
        "(SELECT currency FROM account a WHERE a.tenant_id = s.tenant_id "
        "ORDER BY effective_us, version LIMIT 1), 'USD') "
        f"FROM subscription s WHERE {condition}",
        bindings,
    )
    return _table("subscription", [(*row[:5], money.major(row[5], row[7]), row[6]) for row in rows])


def decision_table(ledger: RelationSource, tenants: Tenants = None) -> pa.Table:
    """``decision``: live decisions with the assigned arm."""
    condition, bindings = among("tenant_id", tenants)
    return _table(
        "decision",
        ledger.file.rows(
            f"SELECT tenant_id, period_start_us / {HOUR_US}, decided_us / {HOUR_US}, arm, "
            "propensity, period_days, mode FROM decision "
            f"WHERE {condition} AND mode = 'live' ORDER BY tenant_id, period_start_us",
            bindings,
        ),
    )


def ticket_table(ledger: RelationSource, tenants: Tenants = None) -> pa.Table:
    """``ticket``: one row each; ``closed_hour`` is when we knew that it was closed.

    Severity is that of the first version, because a later one was not known at first.
    """
    condition, bindings = among("tenant_id", tenants)
    return _table(
        "ticket",
        ledger.file.rows(
            "SELECT first.tenant_id, first.opened_us / ?1, first.known_us / ?1, first.severity, "
            "(SELECT min(max(closed_us, known_us)) FROM ticket later WHERE later.ticket_id = "
            "first.ticket_id AND closed_us IS NOT NULL) / ?1 FROM ticket first "
            f"WHERE first.version = 1 AND {condition.replace('tenant_id', 'first.tenant_id')} "
            "ORDER BY first.tenant_id, first.opened_us, first.ticket_id",
            (HOUR_US, *bindings),
        ),
    )


def intervention_table(ledger: RelationSource, tenants: Tenants = None) -> pa.Table:
    """``intervention``: what people did."""
    condition, bindings = among("tenant_id", tenants)
    return _table(
        "intervention",
        ledger.file.rows(
            f"SELECT tenant_id, time_us / {HOUR_US}, known_us / {HOUR_US}, kind "
            f"FROM intervention WHERE {condition} ORDER BY tenant_id, time_us, fingerprint",
            bindings,
        ),
    )


def incident_table(ledger: RelationSource) -> pa.Table:
    """``incident``: one row each; ``to_hour`` is when we knew that it had ended."""
    rows = ledger.file.rows(
        f"SELECT first.scope_kind, first.scope, first.from_us / {HOUR_US}, "
        "(SELECT min(max(to_us, known_us)) FROM incident later WHERE later.incident_id = "
        f"first.incident_id AND to_us IS NOT NULL) / {HOUR_US}, first.known_us / {HOUR_US} "
        "FROM incident first WHERE first.version = 1 "
        "ORDER BY first.from_us, first.incident_id"
    )
    kinds = ledger.scope_kinds(row[1] for row in rows if not row[0])
    return _table("incident", [(row[0] or kinds[row[1]], *row[1:]) for row in rows])
