"""An override that waits for a second pair of eyes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from flyball.override import OverrideKind


class RequestState(StrEnum):
    """What became of a request; ``withdrawn`` is its author's own refusal."""

    PENDING = "pending"
    APPROVED = "approved"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideRequest:
    """What somebody asked for, and what another person said to it.

    ``override_id`` names the override that an approval made. Times are µs; ``arm`` is in
    hundredths, for the kind ``choose`` only.
    """

    request_id: str
    tenant_id: str
    kind: OverrideKind
    arm: int | None
    reason: str
    author: str
    created_us: int
    expires_us: int
    state: RequestState = RequestState.PENDING
    decided_by: str = ""
    decided_us: int | None = None
    override_id: str | None = None

    def waits_at(self, at_us: int) -> bool:
        """Whether it can still be approved."""
        return self.state is RequestState.PENDING and self.expires_us > at_us
