"""Segment: one arm per customer segment, as marketing would set it by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from flyball.arm import nearest_towards_neutral
from flyball.errors import InvalidInput
from flyball.policies.parameters import check_arm
from flyball.policy import Proposal, TenantView, stay
from flyball.reason import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Proposes the arm of the tenant's segment, 100 for segments not named.

    Parameters
    ----------
    arms:
        Segment to arm in integer hundredths.
    """

    arms: Mapping[str, int] = field(default_factory=dict)
    name: ClassVar[str] = "segment"
    needs_model: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not isinstance(self.arms, Mapping):
            raise InvalidInput(
                "policy parameter arms must map segments to arms.",
                'Write it like {"startup": 115}.',
                field="arms",
            )
        for segment, arm in self.arms.items():
            check_arm(arm, field=f"arms.{segment}")

    @property
    def version(self) -> str:
        """Version of the rule and its parameters."""
        return "1:" + ",".join(f"{name}={arm}" for name, arm in sorted(self.arms.items()))

    def propose(self, view: TenantView) -> Proposal:
        """The segment's arm, as far as it is available."""
        if view.outlook.hazards is None:
            return stay(Reason.NO_MODEL)
        arm = self.arms.get(view.segment)
        if arm is None:
            return stay(Reason.NO_RULE_APPLIES)
        return Proposal(nearest_towards_neutral(arm, view.arms), (Reason.SEGMENT_POLICY,))
