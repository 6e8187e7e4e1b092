"""What was found about a request, as the middleware needs it: does it pass, and what is said."""

from __future__ import annotations

from typing import Protocol

from flyball.enforcement.fields import limit_fields
from flyball.enforcement.verdict import Verdict

#: A header field as ASGI has it.
Field = tuple[bytes, bytes]


class Judgement(Protocol):
    """Does a request pass, and what is said about its limits."""

    @property
    def passes(self) -> bool:
        """Whether no limit says no."""

    @property
    def verdict(self) -> Verdict:
        """Every limit that the request touched; for applications and refusals."""

    def fields(self, now_us: int) -> list[Field]:
        """Header fields that tell the tenant where it stands."""


class Judged:
    """A :class:`Judgement` from a verdict."""

    __slots__ = ("passes", "verdict")

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict
        self.passes = verdict.passes

    def fields(self, now_us: int) -> list[Field]:
        """See :class:`Judgement`."""
        said = limit_fields(self.verdict, now_us)
        return [(name.encode(), value.encode()) for name, value in said]


#: Of a request that touched no limit of ours.
UNTOUCHED = Judged(Verdict())
