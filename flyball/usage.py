"""One usage event, after validation: the only form in which usage enters the product."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageEvent:
    """A measured quantity of one tenant.

    ``(tenant_id, source, event_id)`` is its identity; ``time_us`` is when it happened (start of
    its span), ``arrived_us`` when we received it. ``quantity`` is finite, in ``[0, 1e15]``, in
    units of ``meter``. ``endpoint`` is empty when not given.
    """

    tenant_id: str
    source: str
    event_id: str
    time_us: int
    arrived_us: int
    meter: str
    quantity: float
    endpoint: str = ""
