"""Relax: more room for everybody. A baseline that shows what generosity alone does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from flyball.arm import nearest_towards_neutral
from flyball.policies.parameters import check_relaxing
from flyball.policy import Proposal, TenantView, stay
from flyball.reason import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Relax:
    """Proposes ``arm`` for every tenant that a model knows.

    Parameters
    ----------
    arm:
        Integer hundredths, at least 100.
    """

    arm: int = 115
    name: ClassVar[str] = "relax"
    needs_model: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_relaxing(self.arm, field="arm")

    @property
    def version(self) -> str:
        """Version of the rule and its parameter."""
        return f"1:{self.arm}"

    def propose(self, view: TenantView) -> Proposal:
        """The relaxed arm, as far as it is available."""
        if view.outlook.hazards is None:
            return stay(Reason.NO_MODEL)
        return Proposal(nearest_towards_neutral(self.arm, view.arms), (Reason.RELAX_POLICY,))
