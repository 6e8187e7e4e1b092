"""Canary: the share of organisations that a challenger decides for, the same ones every time."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

from flyball.errors import InvalidInput
from flyball.identity import check_label

#: More than half is no trial any more: promote instead.
MOST_SHARE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class CanarySettings:
    """``[canary]``: nobody by default.

    Parameters
    ----------
    share:
        Share of parent organisations that the challenger decides for (0..0.5).
    salt:
        Another text chooses other organisations; a larger share keeps those of a smaller one.
    """

    share: float = 0.0
    salt: str = "canary"

    def __post_init__(self) -> None:
        if not 0.0 <= self.share <= MOST_SHARE:
            raise InvalidInput(
                f"canary.share {self.share} must lie in 0..{MOST_SHARE}.",
                "Promote the challenger instead of giving it more.",
                field="canary.share",
            )
        check_label(self.salt, field="canary.salt")

    def holds(self, organisation: str) -> bool:
        """Whether ``organisation`` (or the tenant without one) is decided by the challenger.

        Examples
        --------
        >>> CanarySettings().holds("acme")
        False
        """
        return self.share > 0.0 and _place(self.salt, organisation) < self.share


def _place(salt: str, organisation: str) -> float:
    """A number in [0, 1) with 53 bits. Not the draw's: who is in a trial must not tell the arm."""
    text = f"flyball.canary\x1f{salt}\x1f{organisation}".encode()
    digest = hashlib.blake2b(text, digest_size=8).digest()
    return math.ldexp(int.from_bytes(digest, "big") >> 11, -53)
