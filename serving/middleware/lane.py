"""What holds for all requests of a tenant until its terms change."""

from __future__ import annotations

from flyball.enforcement.terms import Terms
from flyball.limit import LimitKind
from serving.pace import pace_of


class Lane:
    """A tenant's terms, and what follows from them for all of its requests.

    ``pace`` is None where a plain request counts towards more than a rate, or towards nothing, and
    where it may hold more than one slot; ``caps`` are the limits to what runs at the same time,
    with the keys of their slots.
    """

    __slots__ = ("caps", "pace", "terms")

    def __init__(self, terms: Terms, *, share: int = 1) -> None:
        self.terms = terms
        caps = [limit for limit in terms.limits if limit.kind is LimitKind.CONCURRENCY]
        self.caps = tuple(((terms.tenant_id, limit.meter), limit.limit) for limit in caps)
        weighed = any(limit.endpoints for limit in caps)
        self.pace = None if weighed else pace_of(terms, share=share)
