"""What was found about a request, as the middleware needs it: does it pass, and what is said."""

from __future__ import annotations

from typing import Protocol

from flyball.enforcement.fields import limit_fields
from flyball.enforcement.terms import Terms
from flyball.enforcement.verdict import Verdict
from serving.pace import Field


class Judgement(Protocol):
    """Whose request it is, whether it passes, and what is said about its limits.

    A :class:`serving.pace.Paced` is one.
    """

    @property
    def terms(self) -> Terms:
        """What is enforced for the tenant."""

    @property
    def passes(self) -> bool:
        """Whether no limit says no."""

    @property
    def verdict(self) -> Verdict:
        """Every limit that the request touched; for applications and refusals."""

    @property
    def fields(self) -> list[Field]:
        """Header fields that tell the tenant where it stands; this request's own."""


class Judged:
    """A :class:`Judgement` from a verdict of ``now_us``."""

    __slots__ = ("fields", "passes", "terms", "verdict")

    def __init__(self, terms: Terms, verdict: Verdict, now_us: int) -> None:
        self.terms = terms
        self.verdict = verdict
        self.passes = verdict.passes
        said = limit_fields(verdict, now_us)
        self.fields: list[Field] = [(name.encode(), value.encode()) for name, value in said]
