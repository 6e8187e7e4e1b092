"""One tenant's case: everything that a decision about it is based on."""

from __future__ import annotations

from dataclasses import dataclass

from flyball.decision import Decision
from flyball.money import TenantMoney
from flyball.outlook import Outlook
from flyball.state import TenantState

#: What is known of a tenant without any model.
NO_OUTLOOK = Outlook(hazards=None, effects={})


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What :func:`flyball.deciding.decide_tenant` is told about one tenant.

    Parameters
    ----------
    state:
        Facts that guardrails look at.
    outlook:
        What the models say; doses may be there without a model.
    money:
        What the tenant pays; None where unknown.
    previous:
        The tenant's latest decision of the round's mode before the as-of time: of this period (it
        is then continued) or of an earlier one (its arm bounds the next step). None without one.
    model_version, feature_hash:
        Of the bundle behind this outlook, where it is not the round's.
    """

    state: TenantState
    outlook: Outlook = NO_OUTLOOK
    money: TenantMoney | None = None
    previous: Decision | None = None
    model_version: str | None = None
    feature_hash: str | None = None

    @property
    def unit_cost_minor(self) -> float:
        """Cost of one request in minor units; 0 where unknown."""
        return 0.0 if self.money is None else self.money.unit_cost_minor

    @property
    def doses(self) -> dict[int, float]:
        """Expected dose per arm, ascending; arms whose dose is unknown are left out."""
        effects = self.outlook.effects
        return {arm: dose for arm in sorted(effects) if (dose := effects[arm].dose) is not None}
