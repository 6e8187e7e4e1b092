"""What the models say about one tenant at one time: risks at m = 1, and each arm's effect."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from flyball.arm import NEUTRAL


class Trust(StrEnum):
    """The level of evidence behind an effect, strongest first."""

    PERSONAL = "personal"
    SEGMENT = "segment"
    POOLED = "pooled"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Estimate:
    """Posterior mean and standard deviation, in probability units per period."""

    mean: float
    sd: float


#: An effect that is known to be nothing (the neutral arm), as opposed to not known at all.
NO_EFFECT = Estimate(0.0, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hazards:
    """Per-period probabilities of the first outcome being each kind, at m = 1 (each in [0, 1])."""

    upgrade: float
    downgrade: float
    churn: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmEffect:
    """What one arm changes against m = 1 in one period.

    ``dose`` is the expected blocked share under the arm minus that under m = 1, from demand before
    the decision (in [-1, 1]; None where demand is too coarse to tell). With ``trust`` none the
    estimates are absent, which is not the same as zero.
    """

    arm: int
    dose: float | None
    trust: Trust
    upgrade: Estimate | None = None
    downgrade: Estimate | None = None
    churn: Estimate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """Everything a policy may look at, apart from the account and the economics.

    ``hazards`` is None where there is no model (a fresh install): policies then stay at m = 1.
    ``demand_per_period`` is expected demand in units of the primary meter over one period.
    """

    hazards: Hazards | None
    effects: Mapping[int, ArmEffect]
    demand_per_period: float = 0.0


def chained(hazards: Hazards, periods: float) -> Hazards:
    """Probability that the first outcome within ``periods`` periods is each kind.

    Cause-specific discrete-time hazards, constant over the periods (which may be a fraction, for
    a span that is not a whole number of periods): with survival S = 1 - sum(h),
    cause k has h_k (1 - S**n) / (1 - S). (Prentice et al. 1978; Allignol et al. 2011.)

    Examples
    --------
    >>> round(chained(Hazards(upgrade=0.1, downgrade=0.0, churn=0.1), 2).upgrade, 12)
    0.18
    """
    total = hazards.upgrade + hazards.downgrade + hazards.churn
    if total <= 0.0:
        return Hazards(upgrade=0.0, downgrade=0.0, churn=0.0)
    # 1 - (1 - total)**n without losing the digits of a small total.
    left = 1.0 if total >= 1.0 else -math.expm1(periods * math.log1p(-total))
    reached = left / total
    return Hazards(
        upgrade=hazards.upgrade * reached,
        downgrade=hazards.downgrade * reached,
        churn=hazards.churn * reached,
    )


#: Doses below this change nothing that could be measured: only the cost of the arm counts.
LEAST_DOSE = 0.005


def hazards_under(outlook: Outlook, arm: int) -> Hazards | None:
    """Per-period hazards under ``arm``: those at m = 1, shifted by the arm's mean effects.

    Effects count only where something is known of them (``trust`` not none) and where the arm
    changes what is let through (:data:`LEAST_DOSE`). Every hazard is clipped to [0, 1], and all
    three together to 1. None without a model.
    """
    hazards = outlook.hazards
    if hazards is None:
        return None
    effect = outlook.effects.get(arm)
    if arm == NEUTRAL or effect is None or not is_felt(effect):
        return hazards
    upgrade = _shifted(hazards.upgrade, effect.upgrade)
    downgrade = _shifted(hazards.downgrade, effect.downgrade)
    churn = _shifted(hazards.churn, effect.churn)
    total = upgrade + downgrade + churn
    if total > 1.0:
        upgrade, downgrade, churn = upgrade / total, downgrade / total, churn / total
    return Hazards(upgrade=upgrade, downgrade=downgrade, churn=churn)


def chances_under(
    outlook: Outlook, arm: int, *, period_days: int, within_days: int = 28
) -> Hazards | None:
    """Probabilities of each first outcome within ``within_days`` if ``arm`` is kept throughout.

    None without a model.
    """
    hazards = hazards_under(outlook, arm)
    return None if hazards is None else chained(hazards, within_days / period_days)


def is_felt(effect: ArmEffect) -> bool:
    """Whether the arm is known to have an effect that a tenant could notice."""
    if effect.trust is Trust.NONE:
        return False
    dose = effect.dose
    return dose is None or dose >= LEAST_DOSE or dose <= -LEAST_DOSE


def _shifted(hazard: float, effect: Estimate | None) -> float:
    return hazard if effect is None else min(1.0, max(0.0, hazard + effect.mean))
