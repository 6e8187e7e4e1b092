"""Which base limit was in force when: per tenant, one meter's, from an hour to the next change."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from telemetry.raw_usage import Array

#: Schema of the relation that says which limit a tenant's primary meter had from which hour on.
LIMIT_SCHEMA = pa.schema(
    [
        ("tenant_id", pa.string()),
        ("meter", pa.string()),
        ("from_hour", pa.int64()),
        ("base_limit", pa.int64()),
        ("window_seconds", pa.int64()),
    ]
)

#: Hours are kept in 32 bits of a key, shifted so that none is negative.
_SHIFT = 1 << 31


class LimitSpans:
    """Limits looked up by codes of tenants.

    Parameters
    ----------
    limits:
        pyarrow table of :data:`LIMIT_SCHEMA`; rows without a base limit say nothing.
    tenants, meters:
        The names that codes stand for.
    """

    def __init__(self, limits: Any, tenants: Any, meters: Any) -> None:
        limits = limits.filter(pc.greater(limits.column("base_limit"), 0))
        tenant = pc.index_in(limits.column("tenant_id"), value_set=tenants)
        known = pc.is_valid(tenant)
        limits, tenant = limits.filter(known), tenant.filter(known).to_numpy().astype(np.int64)
        self._keys, order = _sorted(_key(tenant, limits.column("from_hour").to_numpy()))
        meter = pc.fill_null(pc.index_in(limits.column("meter"), value_set=meters), -1)
        self.meter: Array = meter.to_numpy()[order]
        self.base_limit: Array = limits.column("base_limit").to_numpy()[order]
        self.window_seconds: Array = limits.column("window_seconds").to_numpy()[order]

    def at(self, tenant: Array, hour: Array) -> Array:
        """Position of the limit in force for each tenant at each hour; -1 where there is none."""
        if not len(self._keys):
            return np.full(len(tenant), -1)
        found = np.searchsorted(self._keys, _key(tenant, hour), side="right") - 1
        return np.where((found >= 0) & (self._keys[found] >> 32 == tenant), found, -1)


def _key(tenant: Array, hour: Array) -> Array:
    return np.asarray((tenant << 32) + np.clip(hour, -_SHIFT, _SHIFT - 1) + _SHIFT)


def _sorted(keys: Array) -> tuple[Array, Array]:
    order = np.argsort(keys, kind="stable")
    return keys[order], order
