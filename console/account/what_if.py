"""What each multiplier would change: chances with intervals, money, or that too little is known."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from flyball.arm import NEUTRAL
from flyball.economics import Economics
from flyball.money import TenantMoney
from flyball.outlook import Estimate, Hazards
from flyball.reason import Reason
from flyball.value import Worth, worth_of
from ledger.explanations import ArmView

#: Half-width of a 95 % normal interval, in standard deviations.
_Z95 = 1.96
#: Chances are over this many days; hazards of the value rule are weekly.
_HORIZON_DAYS = 28

#: How far evidence reaches, as people say it.
TRUST = {
    "personal": "this account's own past",
    "segment": "accounts of its segment",
    "pooled": "all accounts",
    "none": "insufficient evidence",
}


@dataclass(frozen=True, slots=True)
class Chance:
    """A probability over 28 days with the 95 % interval of the arm's effect, each in [0, 1]."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Possibility:
    """One arm as the page shows it.

    ``limit`` is what the gateway would enforce; ``money`` the advantage over ×1.00 in minor units
    of the economics' currency over its value horizon (mean, low, high). None where the evidence is
    insufficient or the economics are missing.
    """

    arm: int
    limit: int | None
    served: bool
    offered: bool
    evidence: str
    known: bool
    dose: float | None
    upgrade: Chance | None
    churn: Chance | None
    money: Chance | None


def possibilities(
    arms: Iterable[ArmView],
    *,
    served: int | None,
    limit_under: Callable[[int], int | None],
    money: TenantMoney | None,
    economics: Economics | None,
    weekly_demand: float,
) -> list[Possibility]:
    """Every arm of the grid, tightest first.

    ``limit_under`` tells what the gateway would enforce under an arm. ``weekly_demand`` (units of
    the primary meter) prices the requests that more room lets through.
    """
    views = sorted(arms, key=lambda view: view.arm)
    neutral = next((view for view in views if view.arm == NEUTRAL), None)
    worth = _worth(neutral, money, economics)
    return [
        Possibility(
            arm=view.arm,
            limit=limit_under(view.arm),
            served=view.arm == served,
            offered=view.propensity is not None,
            evidence="the reference" if view.arm == NEUTRAL else TRUST.get(view.trust, view.trust),
            known=view.trust != "none" or view.arm == NEUTRAL,
            dose=view.dose,
            upgrade=_chance(view.upgrade, view.upgrade_sd),
            churn=_chance(view.churn, view.churn_sd),
            money=_advantage(view, neutral, worth, weekly_demand),
        )
        for view in views
    ]


def _chance(mean: float | None, sd: float | None) -> Chance | None:
    if mean is None:
        return None
    half = _Z95 * (sd or 0.0)
    return Chance(mean, max(0.0, mean - half), min(1.0, mean + half))


def _worth(
    neutral: ArmView | None, money: TenantMoney | None, economics: Economics | None
) -> Worth | None:
    if neutral is None or neutral.upgrade is None or neutral.churn is None:
        return None
    weeks = _HORIZON_DAYS / 7
    hazards = Hazards(upgrade=neutral.upgrade / weeks, downgrade=0.0, churn=neutral.churn / weeks)
    found = worth_of(hazards, money, economics, period_days=7)
    return None if isinstance(found, Reason) else found


def _advantage(
    view: ArmView, neutral: ArmView | None, worth: Worth | None, weekly_demand: float
) -> Chance | None:
    """Money of holding the arm for 28 days against ×1.00: what the effects are worth, less cost."""
    if worth is None or neutral is None or view.trust == "none":
        return Chance(0.0, 0.0, 0.0) if view.arm == NEUTRAL and worth is not None else None
    if view.upgrade is None or view.churn is None:
        return None
    if neutral.upgrade is None or neutral.churn is None:
        return None
    weeks = _HORIZON_DAYS / 7
    # A negative dose is demand that more room lets through; a positive one is support's work.
    extra = max(0.0, -(view.dose or 0.0)) * weekly_demand * weeks
    contacts = max(0.0, view.dose or 0.0) * weeks
    mean = (
        (view.upgrade - neutral.upgrade) * worth.upgrade
        - (view.churn - neutral.churn) * worth.churn
        - extra * worth.request
        - contacts * worth.contact
    )
    sd = math.hypot((view.upgrade_sd or 0.0) * worth.upgrade, (view.churn_sd or 0.0) * worth.churn)
    told = Estimate(mean, sd)
    return Chance(told.mean, told.mean - _Z95 * told.sd, told.mean + _Z95 * told.sd)
