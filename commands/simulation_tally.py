"""What the product itself said in a closed loop: what it chose, predicted and noticed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from flyball.arm import NEUTRAL
from flyball.decision import Decision
from flyball.harm import expected_harm
from flyball.outlook import Outlook


@dataclass(slots=True)
class Tally:
    """Counts over all weeks of one policy in one world.

    ``predicted_harm`` is churn, in tenants, that the drawn propensities were predicted to cause,
    as the harm budget counts it;
    ``tightened`` are tenants that were ever served an arm below 100. ``weeks_to_detect_harm`` is
    after how many weeks the product's watch over live outcomes spoke; None while it has not.
    """

    decided: int = 0
    at_one: int = 0
    chose_friction: int = 0
    predicted_harm: float = 0.0
    tightened: set[str] = field(default_factory=set)
    weeks: int = 0
    weeks_to_detect_harm: int | None = None

    def add(
        self, decisions: Sequence[Decision], outlooks: Sequence[Outlook], *, caution: float
    ) -> None:
        """One week's decisions, row by row with what was predicted.

        ``caution`` is the guardrails' ``harm_caution``, in standard deviations.
        """
        for decision, outlook in zip(decisions, outlooks, strict=True):
            self.decided += 1
            self.at_one += decision.proposed_arm == NEUTRAL
            self.chose_friction += decision.proposed_arm < NEUTRAL
            self.predicted_harm += expected_harm(
                outlook, decision.offered, choice=decision.proposed_arm, caution=caution
            )
            if decision.served_arm < NEUTRAL:
                self.tightened.add(decision.tenant_id)

    def looked(self, harmful: bool) -> None:
        """One week's look of the watch."""
        self.weeks += 1
        if harmful and self.weeks_to_detect_harm is None:
            self.weeks_to_detect_harm = self.weeks

    def figures(self) -> dict[str, float | int | None]:
        """For the cell of the grid; exploration is apart in what was *chosen*."""
        decided = max(1, self.decided)
        return {
            "chosen_at_one_percent": 100.0 * self.at_one / decided,
            "chosen_friction_percent": 100.0 * self.chose_friction / decided,
            "predicted_harm_percent": 100.0 * self.predicted_harm / max(1, len(self.tightened)),
            "weeks_to_detect_harm": self.weeks_to_detect_harm,
        }
