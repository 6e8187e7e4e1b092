"""What the application behind the middleware finds in ``scope["flyball"]``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from flyball.enforcement.terms import Terms
from flyball.enforcement.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Tenancy:
    """Who asks, what is enforced for it, and a way to count what is known only afterwards."""

    terms: Terms
    verdict: Verdict
    _charge: Callable[[str, int], Awaitable[None]]

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
        await self._charge(meter, units)
