"""What the models say about one tenant at one time: risks at m = 1, and each arm's effect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


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


def chained(hazards: Hazards, periods: int) -> Hazards:
    """Probability that the first outcome within ``periods`` periods is each kind.

    Cause-specific discrete-time hazards, constant over the periods: with survival S = 1 - sum(h),
    cause k has h_k (1 - S**n) / (1 - S). (Prentice et al. 1978; Allignol et al. 2011.)

    Examples
    --------
    >>> chained(Hazards(upgrade=0.1, downgrade=0.0, churn=0.1), 1).upgrade
    0.1
    """
    total = hazards.upgrade + hazards.downgrade + hazards.churn
    if total <= 0.0:
        return Hazards(upgrade=0.0, downgrade=0.0, churn=0.0)
    leave = min(total, 1.0)
    reached = (1.0 - (1.0 - leave) ** periods) / total
    return Hazards(
        upgrade=hazards.upgrade * reached,
        downgrade=hazards.downgrade * reached,
        churn=hazards.churn * reached,
    )
