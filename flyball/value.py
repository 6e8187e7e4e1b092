"""The value of an arm: what it is expected to earn or cost against m = 1, in money.

    V(a) - V(1) = margin · [Δp_up · ΔMRR · L_up - Δp_churn · MRR · L_churn
                            - Δp_down · lost MRR · L_down] - Δoverdraft cost - Δsupport cost

Δp are the arm's effects in one period. L is the discounted number of months for which a change of
revenue is expected to last: until the tenant would have left by itself (for upgrades: or upgraded
by itself), within the value horizon. With h the natural hazard per period, δ the discount factor
of a period and K the periods in the horizon,

    L = months per period · Σ_{k<K} (δ (1 - h))^k

Overdraft cost is the expected extra requests times their unit cost. Support cost assumes that a
period with a blocked share d more than at m = 1 brings d support contacts more; room that an arm
adds is not credited with contacts saved, since that would pay for relaxing with a guess.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

from flyball.arm import NEUTRAL
from flyball.budget import extra_requests
from flyball.economics import Economics
from flyball.money import TenantMoney
from flyball.outlook import NO_EFFECT, ArmEffect, Estimate, Hazards, Outlook, Trust, is_felt
from flyball.reason import Reason

DAYS_PER_YEAR = 365.25
DAYS_PER_MONTH = DAYS_PER_YEAR / 12.0


class Worth(NamedTuple):
    """Money in minor units, all ≥ 0: per unit of probability of an outcome, and per unit of cost.

    Upgrades earn; downgrades, churn, extra requests and support contacts cost.
    """

    upgrade: float
    downgrade: float
    churn: float
    request: float
    contact: float


def lasting_months(
    hazard: float, *, period_days: int, horizon_weeks: int, discount_per_year: float
) -> float:
    """Expected discounted months until an event of ``hazard`` per period, within the horizon.

    Examples
    --------
    >>> round(lasting_months(0.0, period_days=7, horizon_weeks=52, discount_per_year=0.0), 2)
    11.96
    """
    return _lasting(hazard, _horizon(period_days, horizon_weeks, discount_per_year))


def worth_of(
    hazards: Hazards | None,
    money: TenantMoney | None,
    economics: Economics | None,
    *,
    period_days: int,
) -> Worth | Reason:
    """What one upgrade, downgrade, churn, request and contact more is worth.

    Returns
    -------
    Reason
        ``no_model``, ``no_economics`` or ``no_revenue`` where arms cannot be compared in money.
    """
    if hazards is None:
        return Reason.NO_MODEL
    if economics is None:
        return Reason.NO_ECONOMICS
    if money is None:
        return Reason.NO_REVENUE
    mrr, gain, loss = money.mrr_minor, money.upgrade_gain_minor, money.downgrade_loss_minor
    if mrr is None or gain is None or loss is None:
        return Reason.NO_REVENUE
    horizon = _horizon(period_days, economics.value_horizon_weeks, economics.discount_per_year)
    until_churn = economics.margin * _lasting(hazards.churn, horizon)
    until_either = economics.margin * _lasting(hazards.churn + hazards.upgrade, horizon)
    return Worth(
        upgrade=gain * until_either,
        downgrade=loss * until_churn,
        churn=mrr * until_churn,
        request=money.unit_cost_minor,
        contact=economics.support_cost_minor,
    )


def arm_advantage(worth: Worth, outlook: Outlook, effect: ArmEffect) -> Estimate:
    """V(arm) - V(1) in minor units, as mean and standard deviation.

    The three outcomes' errors are taken as independent. An arm whose dose is too small to be felt
    has no effect, only its cost.
    """
    cost = extra_requests(outlook, effect.arm) * worth.request + _contacts(effect) * worth.contact
    if not is_felt(effect):
        return Estimate(-cost, 0.0)
    mean, variance = -cost, 0.0
    up, down, churn = effect.upgrade, effect.downgrade, effect.churn
    if up is not None:
        mean += up.mean * worth.upgrade
        variance += (up.sd * worth.upgrade) ** 2
    if down is not None:
        mean -= down.mean * worth.downgrade
        variance += (down.sd * worth.downgrade) ** 2
    if churn is not None:
        mean -= churn.mean * worth.churn
        variance += (churn.sd * worth.churn) ** 2
    return Estimate(mean, math.sqrt(variance))


def advantage(
    outlook: Outlook,
    money: TenantMoney | None,
    arm: int,
    economics: Economics | None,
    *,
    period_days: int = 7,
) -> Estimate | Reason:
    """V(arm) - V(1) over the value horizon in minor units, or the reason why it is not known.

    Returns
    -------
    Estimate
        Mean and standard deviation; both 0 for arm 100.
    Reason
        ``no_model``, ``no_economics``, ``no_revenue`` or ``no_effect``.
    """
    worth = worth_of(outlook.hazards, money, economics, period_days=period_days)
    if isinstance(worth, Reason):
        return worth
    if arm == NEUTRAL:
        return NO_EFFECT
    effect = outlook.effects.get(arm)
    if effect is None or not has_evidence(effect):
        return Reason.NO_EFFECT
    return arm_advantage(worth, outlook, effect)


def has_evidence(effect: ArmEffect) -> bool:
    """Whether an arm's effect on churn is known: without it no arm may be chosen."""
    return effect.trust is not Trust.NONE and effect.churn is not None


class _Horizon(NamedTuple):
    periods: int
    discount: float
    months_per_period: float


@lru_cache(maxsize=64)
def _horizon(period_days: int, horizon_weeks: int, discount_per_year: float) -> _Horizon:
    return _Horizon(
        periods=max(1, round(horizon_weeks * 7 / period_days)),
        discount=(1.0 + discount_per_year) ** (-period_days / DAYS_PER_YEAR),
        months_per_period=period_days / DAYS_PER_MONTH,
    )


def _lasting(hazard: float, horizon: _Horizon) -> float:
    periods, ratio, months = horizon
    if hazard > 0.0:
        ratio *= 1.0 - hazard if hazard < 1.0 else 0.0
    total = float(periods) if ratio >= 1.0 else (1.0 - ratio**periods) / (1.0 - ratio)
    return total * months


def _contacts(effect: ArmEffect) -> float:
    if effect.arm >= NEUTRAL:
        return 0.0
    # Unknown dose: a limit of m times the base cannot block more than 1 - m of demand in addition.
    dose = (NEUTRAL - effect.arm) / NEUTRAL if effect.dose is None else effect.dose
    return max(0.0, dose)
