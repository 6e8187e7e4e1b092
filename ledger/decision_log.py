"""``decision_log``: live decisions with everything that learning needs, as one relation.

More than features read (the ``decision`` relation): the offered arms with their propensities, and
how the arm came about.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from flyball.instant import HOUR_US
from ledger.relations import RelationSource, Tenants
from ledger.sqlite_base import among

SCHEMA = pa.schema(
    {
        "decision_id": pa.string(),
        "tenant_id": pa.string(),
        "start_hour": pa.int64(),
        "known_hour": pa.int64(),
        "period_days": pa.int64(),
        "arm": pa.int64(),
        "propensity": pa.float64(),
        "offered": pa.string(),
        "assignment": pa.string(),
        "policy": pa.string(),
        "continued": pa.bool_(),
        "mode": pa.string(),
    }
)


def decision_log_table(ledger: RelationSource, tenants: Tenants = None) -> pa.Table:
    """Live decisions in order of tenant and start; ``offered`` is JSON, arm in hundredths → p."""
    condition, bindings = among("tenant_id", tenants)
    rows = ledger.file.rows(
        f"SELECT decision_id, tenant_id, period_start_us / {HOUR_US}, decided_us / {HOUR_US}, "
        "period_days, arm, propensity, offered, assignment, policy, continued, mode "
        f"FROM decision WHERE {condition} AND mode = 'live' "
        "ORDER BY tenant_id, period_start_us, seq",
        bindings,
    )
    columns: list[tuple[Any, ...]] = list(zip(*rows, strict=True)) if rows else [()] * len(SCHEMA)
    columns[10] = tuple(bool(value) for value in columns[10])
    arrays = [pa.array(c, type=f.type) for c, f in zip(columns, SCHEMA, strict=True)]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)
