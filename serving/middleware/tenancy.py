"""What the application behind the middleware finds in ``scope["flyball"]``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from flyball.enforcement.terms import Terms
from flyball.enforcement.verdict import Verdict
from serving.middleware.judgement import Judgement

#: Counts units of a meter for a tenant.
Charge = Callable[[Terms, str, int], Awaitable[None]]


class Tenancy:
    """Who asks, what is enforced for it, and a way to count what is known only afterwards.

    Made for every request, so what few applications read is put together when they do.
    """

    __slots__ = ("_charge", "_judgement")

    def __init__(self, judgement: Judgement, charge: Charge) -> None:
        self._judgement = judgement
        self._charge = charge

    @property
    def terms(self) -> Terms:
        """What is enforced for the tenant."""
        return self._judgement.terms

    @property
    def verdict(self) -> Verdict:
        """The limits that the request touched, and where the tenant stood when it passed."""
        return self._judgement.verdict

    @property
    def tenant_id(self) -> str:
        """The tenant's id (not the alias it came by)."""
        return self.terms.tenant_id

    @property
    def soft(self) -> bool:
        """Whether an allowance runs out: a cheaper answer would be welcome."""
        return any(state.soft for state in self.verdict.states)

    async def charge(self, meter: str, units: int) -> None:
        """Count ``units`` (≥ 0) of a meter; what exceeds the limit stops the next request."""
        await self._charge(self.terms, meter, units)
