"""Guardrails: which arms a tenant may be given at all, before any budget, draw or policy.

Precedence, highest first: kill switch, contract limit, no-friction rules, a person's override,
holdout, budgets and shares, exploration, policy. This module holds the per-tenant part, up to and
including the steps; :mod:`flyball.budget` holds what tenants share, and :mod:`flyball.deciding`
puts everything in order.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from flyball.arm import NEUTRAL, ArmGrid
from flyball.guardrail_settings import DEFAULT_GUARDRAILS, GuardrailSettings, guardrails_from
from flyball.instant import DAY_US, HOUR_US
from flyball.plan import Limit
from flyball.reason import Reason
from flyball.state import TenantState

__all__ = [
    "DEFAULT_GUARDRAILS",
    "ONLY_NEUTRAL",
    "Bounds",
    "GuardrailSettings",
    "TenantState",
    "allowed_arms",
    "bound",
    "guardrails_from",
    "no_friction_rules",
    "recently_upgraded",
    "within_step",
]

ONLY_NEUTRAL = (NEUTRAL,)


class Bounds(NamedTuple):
    """What the per-tenant guardrails leave.

    ``contractual`` are the grid's arms that keep every contract; ``permitted`` those of them that
    the no-friction rules, the tenant's own overdraft budget and the step from the arm in force
    leave too. Both ascend and hold 100. ``rules`` name the rules that took something away, except
    the step, which nearly always does.
    """

    contractual: tuple[int, ...]
    permitted: tuple[int, ...]
    rules: tuple[Reason, ...]


def bound(
    state: TenantState,
    settings: GuardrailSettings,
    grid: ArmGrid,
    *,
    previous_arm: int,
    at_us: int,
    killed: bool = False,
    budgeted: bool = True,
) -> Bounds:
    """Apply the kill switch, contracts, no-friction rules, overdraft budget and steps.

    Parameters
    ----------
    previous_arm:
        The arm in force before this period's start (100 where there was none).
    at_us:
        The as-of time.
    budgeted:
        Whether the tenant's own overdraft budget counts; a person's override outranks it.
    """
    if killed:
        return Bounds(ONLY_NEUTRAL, ONLY_NEUTRAL, (Reason.KILL_SWITCH,))
    if not state.limits:
        return Bounds(ONLY_NEUTRAL, ONLY_NEUTRAL, (Reason.UNKNOWN_PLAN,))
    contractual = allowed_arms(grid, state.limits)
    if len(contractual) == 1:
        return Bounds(contractual, contractual, ())
    if recently_upgraded(state, settings, at_us):
        return Bounds(contractual, ONLY_NEUTRAL, (Reason.RECENT_UPGRADE,))
    permitted = contractual
    rules: tuple[Reason, ...] = ()
    if permitted[0] < NEUTRAL:
        rules = no_friction_rules(state, settings, at_us)
        if rules:
            permitted = tuple(arm for arm in permitted if arm >= NEUTRAL)
    if budgeted and permitted[-1] > NEUTRAL and _overdraft_spent(state, settings):
        permitted = tuple(arm for arm in permitted if arm <= NEUTRAL)
        rules = (*rules, Reason.TENANT_OVERDRAFT_SPENT)
    if settings.step_rule:
        permitted = within_step(permitted, previous_arm, settings.step_hundredths)
    return Bounds(contractual, permitted, rules)


@lru_cache(maxsize=65_536)
def allowed_arms(grid: ArmGrid, limits: tuple[Limit, ...]) -> tuple[int, ...]:
    """:meth:`ArmGrid.allowed`, remembered: most tenants of a plan have the same limits."""
    return grid.allowed(limits)


def recently_upgraded(state: TenantState, settings: GuardrailSettings, at_us: int) -> bool:
    """Whether the tenant is in the first days after an upgrade."""
    if not settings.upgrade_rule or state.upgraded_us is None:
        return False
    return 0 <= at_us - state.upgraded_us < settings.upgrade_days * DAY_US


def no_friction_rules(
    state: TenantState, settings: GuardrailSettings, at_us: int
) -> tuple[Reason, ...]:
    """The rules under which nobody may be tightened at ``at_us``; empty where friction may be.

    :attr:`Reason.RECENT_UPGRADE` is among them; it forbids overdraft too.
    """
    rules = []
    if settings.spike_rule and state.spike:
        rules.append(Reason.SPIKE)
    if settings.incident_rule and state.incident:
        rules.append(Reason.INCIDENT)
    if settings.urgent_ticket_rule and state.urgent_ticket:
        rules.append(Reason.URGENT_TICKET)
    if settings.new_tenant_rule and (
        state.created_us is None or at_us - state.created_us < settings.new_tenant_days * DAY_US
    ):
        rules.append(Reason.NEW_TENANT)
    if (
        settings.renewal_rule
        and state.renewal_us is not None
        and 0 <= state.renewal_us - at_us <= settings.renewal_days * DAY_US
    ):
        rules.append(Reason.RENEWAL_NEAR)
    if settings.stale_feature_rule and (
        state.features_us is None
        or at_us - state.features_us > settings.feature_max_age_hours * HOUR_US
    ):
        rules.append(Reason.STALE_FEATURES)
    if recently_upgraded(state, settings, at_us):
        rules.append(Reason.RECENT_UPGRADE)
    return tuple(rules)


def within_step(arms: tuple[int, ...], previous_arm: int, step: int) -> tuple[int, ...]:
    """Arms at most ``step`` hundredths further from 100 than the arm in force.

    Towards 100 any move is allowed; on the other side of 100 the step counts from 100.
    """
    lowest = min(previous_arm, NEUTRAL) - step
    highest = max(previous_arm, NEUTRAL) + step
    return tuple(arm for arm in arms if lowest <= arm <= highest)


def _overdraft_spent(state: TenantState, settings: GuardrailSettings) -> bool:
    allowed = settings.overdraft_tenant_periods
    return allowed is not None and state.overdraft_periods >= allowed
