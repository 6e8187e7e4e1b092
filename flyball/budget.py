"""Budgets and shares: what tenants compete for, reserved before anything is drawn."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import NamedTuple

from flyball.arm import NEUTRAL
from flyball.decision import Decision
from flyball.guardrail_settings import GuardrailSettings
from flyball.harm import HarmBudget
from flyball.outlook import Outlook
from flyball.reason import Reason


class Reserved(NamedTuple):
    """The arms that could be reserved, what was set aside for them, and what was out of reach."""

    arms: tuple[int, ...]
    requests: float
    refusals: tuple[Reason, ...]


def extra_requests(outlook: Outlook, arm: int) -> float:
    """Expected requests per period that ``arm`` lets through and m = 1 would not (≥ 0).

    Minus dose times demand. Where the dose is unknown, the most that is possible: in a window
    whose demand passes m times the base limit, (m - 1)/m of the demand at most is let through
    above the base limit, and elsewhere less.
    """
    if arm <= NEUTRAL:
        return 0.0
    demand = outlook.demand_per_period
    effect = outlook.effects.get(arm)
    dose = None if effect is None else effect.dose
    if dose is None:
        dose = (NEUTRAL - arm) / arm
    return -dose * demand if dose < 0.0 < demand else 0.0


class Budgets:
    """One period's overdraft budget, friction shares and harm budget.

    A tenant reserves the worst of what it is offered, before its draw, so the bounds hold whatever
    is drawn, in whatever order tenants come. Which tenants get a scarce place does depend on the
    order: :func:`flyball.deciding.decide_all` fixes it.

    Parameters
    ----------
    settings:
        The bounds.
    segment_sizes:
        Tenants per segment; a segment not named has no tenants, hence no friction.
    total_demand:
        Expected demand of all tenants in the period, in requests; None leaves the bound on the
        share of demand out.
    tightened, period_days:
        See :class:`flyball.harm.HarmBudget`.
    """

    __slots__ = (
        "_cost_left", "_held", "_places_left", "_requests_left", "_tenant_requests", "harm",
    )  # fmt: skip

    def __init__(
        self,
        settings: GuardrailSettings,
        *,
        segment_sizes: Mapping[str, int],
        total_demand: float | None = None,
        tightened: Collection[str] = (),
        period_days: int = 7,
    ) -> None:
        self.harm = HarmBudget(settings, tightened=tightened, period_days=period_days)
        # Tenants counted already, so that holding a decision again changes nothing.
        self._held: set[str] = set()
        self._places_left = {
            # The slack keeps a share such as 0.29 of 100 from losing a place to float rounding.
            segment: math.floor(settings.share_of(segment) * size + 1e-9)
            for segment, size in segment_sizes.items()
        }
        bounds = [math.inf]
        if settings.overdraft_total_requests is not None:
            bounds.append(settings.overdraft_total_requests)
        if settings.overdraft_total_share is not None and total_demand is not None:
            bounds.append(settings.overdraft_total_share * total_demand)
        self._requests_left = min(bounds)
        cost = settings.overdraft_total_minor
        self._cost_left = math.inf if cost is None else cost
        tenant = settings.overdraft_tenant_requests
        self._tenant_requests = math.inf if tenant is None else tenant

    @property
    def requests_left(self) -> float:
        """Extra requests not reserved yet (``inf`` without a bound; negative if overdrawn)."""
        return self._requests_left

    @property
    def cost_left(self) -> float:
        """Money not reserved yet, in minor units (``inf`` without a bound)."""
        return self._cost_left

    def places_left(self, segment: str) -> int:
        """Tenants of ``segment`` that may still come under friction."""
        return self._places_left.get(segment, 0)

    def reserve(
        self,
        tenant_id: str,
        segment: str,
        *,
        arms: tuple[int, ...],
        requests: Mapping[int, float],
        unit_cost_minor: float = 0.0,
    ) -> Reserved:
        """Set aside what any of ``arms`` may need; arms that do not fit are left out.

        Parameters
        ----------
        arms:
            Ascending, with 100 among them.
        requests:
            Expected extra requests per arm above 100 (see :func:`extra_requests`).
        unit_cost_minor:
            Cost of one request in minor units.
        """
        refusals: tuple[Reason, ...] = ()
        kept = arms
        worst = 0.0
        if kept[-1] > NEUTRAL:
            within_tenant = tuple(a for a in kept if self._tenant_fits(a, requests))
            if len(within_tenant) < len(kept):
                refusals = (Reason.TENANT_OVERDRAFT_SPENT,)
            kept = tuple(a for a in within_tenant if self._fits(a, requests, unit_cost_minor))
            if len(kept) < len(within_tenant):
                refusals = (*refusals, Reason.OVERDRAFT_BUDGET_SPENT)
            worst = max((requests.get(a, 0.0) for a in kept if a > NEUTRAL), default=0.0)
        if kept[0] < NEUTRAL:
            if self._places_left.get(segment, 0) > 0:
                self._places_left[segment] -= 1
            else:
                kept = tuple(a for a in kept if a >= NEUTRAL)
                refusals = (*refusals, Reason.FRICTION_SHARE_REACHED)
        self._spend(worst, unit_cost_minor)
        if worst > 0.0 or kept[0] < NEUTRAL:
            self._held.add(tenant_id)
        return Reserved(kept, worst, refusals)

    def release_friction(self, tenant_id: str, segment: str, *, requests: float) -> None:
        """Give a reserved place back: nothing below 100 is offered to the tenant after all."""
        self._places_left[segment] = self._places_left.get(segment, 0) + 1
        if requests <= 0.0:
            self._held.discard(tenant_id)

    def charge(
        self,
        tenant_id: str,
        segment: str,
        *,
        arm: int,
        requests: float,
        unit_cost_minor: float = 0.0,
    ) -> None:
        """Count an arm that outranks budgets (a person's choice), even beyond the bound."""
        if arm < NEUTRAL:
            self._places_left[segment] = self._places_left.get(segment, 0) - 1
        elif arm > NEUTRAL:
            self._spend(requests, unit_cost_minor)
        self._held.add(tenant_id)

    def hold(
        self,
        decision: Decision,
        segment: str,
        unit_cost_minor: float = 0.0,
        *,
        outlook: Outlook | None = None,
    ) -> None:
        """Count what a decision made earlier in this period has reserved; once for each tenant.

        ``outlook`` estimates the overdraft where the decision's record does not say it.
        """
        if decision.tenant_id in self._held:
            return
        at_risk = [arm for arm, propensity in decision.offered.items() if propensity > 0.0]
        at_risk.append(decision.served_arm)
        friction = min(at_risk) < NEUTRAL
        if friction:
            self._places_left[segment] = self._places_left.get(segment, 0) - 1
        requests = decision.overdraft_requests
        if requests <= 0.0 and outlook is not None:
            requests = max(extra_requests(outlook, arm) for arm in at_risk)
        if outlook is not None:
            choice = decision.proposed_arm
            self.harm.take(decision.tenant_id, outlook, decision.offered, choice=choice)
        self._spend(requests, unit_cost_minor)
        if friction or requests > 0.0:
            self._held.add(decision.tenant_id)

    def _tenant_fits(self, arm: int, requests: Mapping[int, float]) -> bool:
        return arm <= NEUTRAL or requests.get(arm, 0.0) <= self._tenant_requests

    def _fits(self, arm: int, requests: Mapping[int, float], unit_cost_minor: float) -> bool:
        if arm <= NEUTRAL:
            return True
        extra = requests.get(arm, 0.0)
        return extra <= self._requests_left and extra * unit_cost_minor <= self._cost_left

    def _spend(self, requests: float, unit_cost_minor: float) -> None:
        self._requests_left -= requests
        self._cost_left -= requests * unit_cost_minor
