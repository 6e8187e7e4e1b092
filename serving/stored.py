"""What each tenant has stored: the last report of every meter that a storage limit bounds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from flyball.limit import LimitKind
from flyball.plan import Plan

Stored = Mapping[str, Mapping[str, float]]


def storage_meters(plans: Iterable[Plan]) -> list[str]:
    """Meters that a limit of kind ``storage`` bounds in any plan, in order of name."""
    return sorted(
        {
            meter
            for plan in plans
            for meter, limit in plan.limits.items()
            if limit.kind is LimitKind.STORAGE
        }
    )


def read_stored(connection: Any, plans: Iterable[Plan], *, as_of_hour: int) -> Stored:
    """Tenant to meter to the last value known at the as-of hour.

    Reads the relations ``usage_day`` and ``usage_hour`` as features do. A tenant that has not
    reported within the days that they hold is left out: what it stores is not known.
    """
    meters = storage_meters(plans)
    if not meters:
        return {}
    day = as_of_hour // 24
    rows = connection.execute(
        "SELECT tenant_id, meter, max(struct_pack(at := last_at_us, of := last_value)).of FROM ("
        " SELECT tenant_id, meter, last_at_us, last_value FROM usage_day"
        f" WHERE arrival_day < {day} AND event_day <= {day}"
        " UNION ALL SELECT tenant_id, meter, last_at_us, last_value FROM usage_hour"
        f" WHERE arrival_hour // 24 = {day} AND arrival_hour < {as_of_hour}"
        f" AND event_hour < {as_of_hour}"
        ") WHERE list_contains(?, meter) GROUP BY tenant_id, meter",
        [meters],
    ).fetchall()
    found: dict[str, dict[str, float]] = {}
    for tenant, meter, value in rows:
        found.setdefault(tenant, {})[meter] = float(value)
    return found
