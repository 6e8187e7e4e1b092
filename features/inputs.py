"""The relations that features read: names, columns and types, as in the data-model page.

Standard library only. Stores and tests compare themselves with this; the compiler declares its
unbound tables from it, so that SQL and contract cannot drift apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Upper edges of the share bins 0..6; bin 7 is open.
SHARE_EDGES = (0.70, 0.85, 1.00, 1.15, 1.30, 1.60, 2.00)
SHARE_BINS = len(SHARE_EDGES) + 1

#: Event days before the as-of day that features read of usage (a monthly allowance).
LOOKBACK_DAYS = 30


def _usage(unit: str) -> dict[str, str]:
    columns = {
        "tenant_id": "VARCHAR",
        "meter": "VARCHAR",
        f"event_{unit}": "BIGINT",
        f"arrival_{unit}": "BIGINT",
        "event_count": "BIGINT",
        "quantity_sum": "DOUBLE",
        "quantity_max": "DOUBLE",
        "hour_peak": "DOUBLE",
        "last_at_us": "BIGINT",
        "last_value": "DOUBLE",
        "active_hours": "BIGINT",
        "window_count": "BIGINT",
        "share_sum": "DOUBLE",
        "share_peak": "DOUBLE",
    }
    columns |= {f"share_count_{i}": "BIGINT" for i in range(SHARE_BINS)}
    columns |= {f"share_sum_{i}": "DOUBLE" for i in range(SHARE_BINS)}
    return columns | {"coarse_count": "BIGINT"}


#: Relation name -> column name -> DuckDB type.
INPUTS: Mapping[str, Mapping[str, str]] = {
    "spine": {"tenant_id": "VARCHAR", "as_of_hour": "BIGINT"},
    "usage_hour": _usage("hour"),
    "usage_day": _usage("day"),
    "account": {
        "tenant_id": "VARCHAR",
        "effective_hour": "BIGINT",
        "known_hour": "BIGINT",
        "version": "BIGINT",
        "plan": "VARCHAR",
        "created_hour": "BIGINT",
        "parent_org": "VARCHAR",
        "organisation": "VARCHAR",
        "segment": "VARCHAR",
        "region": "VARCHAR",
        "seats": "BIGINT",
        "mrr": "DOUBLE",
        "renewal_hour": "BIGINT",
        "base_limit": "BIGINT",
        "contract_limit": "BIGINT",
        "window_seconds": "BIGINT",
        "primary_meter": "VARCHAR",
    },
    "plan": {
        "plan": "VARCHAR",
        "effective_hour": "BIGINT",
        "known_hour": "BIGINT",
        "version": "BIGINT",
        "rank": "BIGINT",
        "price": "DOUBLE",
    },
    "subscription": {
        "tenant_id": "VARCHAR",
        "event_hour": "BIGINT",
        "known_hour": "BIGINT",
        "kind": "VARCHAR",
        "plan": "VARCHAR",
        "mrr": "DOUBLE",
        "version": "BIGINT",
    },
    "decision": {
        "tenant_id": "VARCHAR",
        "start_hour": "BIGINT",
        "known_hour": "BIGINT",
        "arm": "BIGINT",
        "propensity": "DOUBLE",
        "period_days": "BIGINT",
        "mode": "VARCHAR",
    },
    "ticket": {
        "tenant_id": "VARCHAR",
        "opened_hour": "BIGINT",
        "known_hour": "BIGINT",
        "severity": "VARCHAR",
        "closed_hour": "BIGINT",
    },
    "intervention": {
        "tenant_id": "VARCHAR",
        "event_hour": "BIGINT",
        "known_hour": "BIGINT",
        "kind": "VARCHAR",
    },
    "incident": {
        "scope_kind": "VARCHAR",
        "scope": "VARCHAR",
        "from_hour": "BIGINT",
        "to_hour": "BIGINT",
        "known_hour": "BIGINT",
    },
}


def create_inputs(connection: Any, *, only: tuple[str, ...] = tuple(INPUTS)) -> None:
    """Create empty tables for the relations named in ``only`` in a DuckDB connection."""
    for relation in only:
        columns = ", ".join(f"{name} {kind}" for name, kind in INPUTS[relation].items())
        connection.execute(f"CREATE TABLE {relation} ({columns})")
