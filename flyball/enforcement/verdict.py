"""What became of a request: it passes, passes later, or is refused with what to say."""

from __future__ import annotations

from dataclasses import dataclass

from flyball.instant import SECOND_US
from flyball.limit import LimitKind

#: Too fast, or an allowance that is not for sale by the piece.
TOO_MANY_REQUESTS = 429
#: A paid allowance is used up, and the plan says that it is a matter of payment.
PAYMENT_REQUIRED = 402


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitState:
    """Where a tenant stands with one limit after a verdict.

    ``policy`` names the limit (its meter, with the endpoint's pattern where it is an endpoint's
    own). ``remaining`` is in units of the meter. ``reset_us`` is how long until all of it is there
    again; None where time alone does not help (storage, concurrency). ``wait_us`` is how long this
    request would have to wait; 0 unless it is refused by this limit.
    """

    policy: str
    meter: str
    kind: LimitKind
    limit: int
    window_seconds: int | None
    remaining: int
    reset_us: int | None
    wait_us: int = 0
    refused: bool = False
    soft: bool = False
    paid: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a request passes, with every limit that it touches.

    ``delay_us`` is how long to hold a request that passes, because an allowance runs out.
    """

    states: tuple[LimitState, ...] = ()
    delay_us: int = 0

    @property
    def refused_by(self) -> tuple[LimitState, ...]:
        """The limits that say no; empty: it passes."""
        return tuple(state for state in self.states if state.refused)

    @property
    def passes(self) -> bool:
        """Whether nothing says no."""
        # A loop, not any(…) over a generator, which takes three times as long on every request.
        for state in self.states:  # noqa: SIM110
            if state.refused:
                return False
        return True

    @property
    def status(self) -> int:
        """200, or 402 where only paid allowances say no, or 429."""
        refused = self.refused_by
        if not refused:
            return 200
        return PAYMENT_REQUIRED if all(s.paid for s in refused) else TOO_MANY_REQUESTS

    @property
    def retry_after_seconds(self) -> int | None:
        """Whole seconds (≥ 1) after which the same request could pass; None: time does not help."""
        waits = [state.wait_us for state in self.refused_by]
        if not waits or not all(waits):
            return None
        return max(1, -(-max(waits) // SECOND_US))

    @property
    def tightest(self) -> LimitState | None:
        """The limit with the smallest share left: what single-valued headers speak of."""
        if len(self.states) == 1:
            return self.states[0]
        states = self.refused_by or self.states
        return min(states, key=lambda s: (s.remaining / s.limit, s.policy), default=None)
