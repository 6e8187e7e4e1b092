"""Value: the arm with the best conservative advantage in money, 100 unless it is above 0."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

from flyball.arm import NEUTRAL
from flyball.errors import InvalidInput
from flyball.outlook import Estimate
from flyball.policy import Proposal, TenantView, stay
from flyball.reason import Reason
from flyball.value import arm_advantage, has_evidence, worth_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """Takes the highest posterior mean minus ``caution`` standard deviations of the advantage.

    Arms without evidence are never chosen. Ties go to the arm nearer to 100.

    Parameters
    ----------
    caution:
        Standard deviations subtracted (0..10).
    """

    caution: float = 0.5
    name: ClassVar[str] = "value"
    needs_model: ClassVar[bool] = True

    def __post_init__(self) -> None:
        fine = isinstance(self.caution, int | float) and not isinstance(self.caution, bool)
        if not fine or not 0.0 <= self.caution <= 10.0:
            raise InvalidInput("policy parameter caution must lie in 0..10.", field="caution")

    @property
    def version(self) -> str:
        """Version of the rule and its parameter."""
        return f"1:{self.caution:g}"

    def propose(self, view: TenantView) -> Proposal:
        """The arm worth most, or 100 with the reason why none is."""
        outlook = view.outlook
        worth = worth_of(outlook.hazards, view.money, view.economics, period_days=view.period_days)
        if isinstance(worth, Reason):
            return stay(worth)
        best_arm, best_bound, best = NEUTRAL, 0.0, None
        evidence = False
        for arm in _nearest_first(view.arms):
            effect = outlook.effects.get(arm)
            if arm == NEUTRAL or effect is None or not has_evidence(effect):
                continue
            evidence = True
            advantage = arm_advantage(worth, outlook, effect)
            bound = advantage.mean - self.caution * advantage.sd
            # NaN never wins, because comparing it is false; neither must infinity.
            if best_bound < bound < math.inf:
                best_arm, best_bound, best = arm, bound, advantage
        return _proposal(best_arm, best, evidence=evidence)


@lru_cache(maxsize=1_024)
def _nearest_first(arms: tuple[int, ...]) -> tuple[int, ...]:
    """So that of two arms worth the same the one nearer to 100 is met first, and kept."""
    return tuple(sorted(arms, key=lambda arm: (abs(arm - NEUTRAL), -arm)))


def _proposal(arm: int, advantage: Estimate | None, *, evidence: bool) -> Proposal:
    if arm == NEUTRAL:
        return stay(Reason.NO_ARM_PAYS if evidence else Reason.NO_EFFECT)
    reason = (
        Reason.UPGRADE_EFFECT_OUTWEIGHS_CHURN if arm < NEUTRAL else Reason.RELIEF_OUTWEIGHS_COST
    )
    return Proposal(arm, (reason,), advantage)
