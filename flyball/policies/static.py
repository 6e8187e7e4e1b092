"""Static: everybody keeps the plan's limit. What a fresh install does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from flyball.policy import Proposal, TenantView, stay
from flyball.reason import Reason

_STAY = stay(Reason.STATIC_POLICY)


@dataclass(frozen=True, slots=True)
class Static:
    """Always proposes 100."""

    name: ClassVar[str] = "static"
    version: ClassVar[str] = "1"
    needs_model: ClassVar[bool] = True

    def propose(self, view: TenantView) -> Proposal:
        """100, whatever the view."""
        return _STAY
