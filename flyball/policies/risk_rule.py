"""Risk rule: thresholds on predicted risks. Risk is not an effect; `value` must beat this."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from flyball.arm import nearest_towards_neutral
from flyball.errors import InvalidInput
from flyball.policies.parameters import check_probability, check_relaxing, check_tightening
from flyball.policy import Proposal, TenantView, stay
from flyball.reason import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskRule:
    """Relaxes for tenants likely to leave; tightens for those likely to upgrade and not to leave.

    Parameters
    ----------
    churn_high, churn_low, upgrade_high:
        Probabilities over 28 days at m = 1; ``churn_low`` at most ``churn_high``.
    relaxed, tightened:
        Arms proposed.
    """

    churn_high: float = 0.10
    churn_low: float = 0.03
    upgrade_high: float = 0.15
    relaxed: int = 115
    tightened: int = 85
    name: ClassVar[str] = "risk_rule"
    needs_model: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for name in ("churn_high", "churn_low", "upgrade_high"):
            check_probability(getattr(self, name), field=name)
        if self.churn_low > self.churn_high:
            raise InvalidInput("churn_low must not exceed churn_high.", field="churn_low")
        check_relaxing(self.relaxed, field="relaxed")
        check_tightening(self.tightened, field="tightened")

    @property
    def version(self) -> str:
        """Version of the rule and its parameters."""
        parts = (self.churn_high, self.churn_low, self.upgrade_high, self.relaxed, self.tightened)
        return "1:" + ",".join(f"{part:g}" for part in parts)

    def propose(self, view: TenantView) -> Proposal:
        """One of the two arms by threshold, else 100."""
        chances = view.within_28_days()
        if chances is None:
            return stay(Reason.NO_MODEL)
        if chances.churn >= self.churn_high:
            arm = nearest_towards_neutral(self.relaxed, view.arms)
            return Proposal(arm, (Reason.HIGH_CHURN_RISK,))
        if chances.upgrade >= self.upgrade_high and chances.churn <= self.churn_low:
            arm = nearest_towards_neutral(self.tightened, view.arms)
            return Proposal(arm, (Reason.HIGH_UPGRADE_CHANCE,))
        return stay(Reason.NO_RULE_APPLIES)
