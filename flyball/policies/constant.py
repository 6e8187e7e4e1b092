"""Constant: one arm for everybody, for tests and replays; guardrails still apply."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from flyball.arm import nearest_towards_neutral
from flyball.policies.parameters import check_arm
from flyball.policy import Proposal, TenantView
from flyball.reason import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """Proposes ``arm``, or the nearest available arm between it and 100.

    Parameters
    ----------
    arm:
        Integer hundredths in 1..1000.
    """

    arm: int
    name: ClassVar[str] = "constant"
    needs_model: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_arm(self.arm, field="arm")

    @property
    def version(self) -> str:
        """Version of the rule and its parameter."""
        return f"1:{self.arm}"

    def propose(self, view: TenantView) -> Proposal:
        """The constant arm, as far as it is available."""
        return Proposal(nearest_towards_neutral(self.arm, view.arms), (Reason.CONSTANT_POLICY,))
