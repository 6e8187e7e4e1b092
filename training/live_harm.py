"""Whether the policy drives tenants away, watched live against those it was kept from.

Counted are periods in which the policy wanted to act. Whether it did was drawn: the holdout and
exploration left some such tenants at 100. A period in which it acted counts its churn by one over
the probability of that, a period at 100 counts against it likewise; the sum, less what is allowed,
has mean at most 0 where there is no harm. The bound may be looked at every minute.

The holdout is drawn once for each organisation and not every period, so its increments are fresh
only as far as churn in one period says nothing of the next; see ``docs/reference/gates.md``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np

from flyball.arm import NEUTRAL
from flyball.gate_settings import GateSettings
from ledger.acted_periods import ActedPeriod
from training.off_policy.harm_watch import HarmWatch, Increments
from training.policy_gates import DAYS_OF_CAP


@dataclass(frozen=True, slots=True, kw_only=True)
class HarmLook:
    """One look: how much evidence there is, and what it says."""

    periods: int
    acted: int
    watch: HarmWatch = field(default_factory=HarmWatch)

    @property
    def harmful(self) -> bool:
        """Whether to roll back."""
        return self.watch.harmful

    def sentence(self) -> str:
        """For people and the audit trail."""
        found = (
            f"added churn beyond the cap {self.watch.mean:+.3%} an organisation and period over "
            f"{self.watch.count:,} of them ({self.acted:,} acted on)"
        )
        floor = self.watch.floor()
        bound = f", at least {floor:+.3%} at 95 %" if np.isfinite(floor) else ", too early to bound"
        return found + bound

    def plain(self) -> dict[str, object]:
        """JSON-ready."""
        floor = self.watch.floor()
        return {
            "periods": self.periods,
            "acted": self.acted,
            "organisationPeriods": self.watch.count,
            "addedChurn": self.watch.mean,
            "lowerBound": floor if np.isfinite(floor) else None,
            "harmful": self.harmful,
        }


def look_for_harm(
    periods: Sequence[ActedPeriod], *, churn_cap: float | None = None, alpha: float = 0.05
) -> HarmLook:
    """Look at ``periods``.

    Parameters
    ----------
    churn_cap:
        Churn that may be added in 26 weeks (probability); by default that of the gates.
    alpha:
        Chance of ever raising a false alarm.
    """
    cap = GateSettings().churn_cap if churn_cap is None else churn_cap
    return HarmLook(
        periods=len(periods),
        acted=sum(each.arm == each.proposed_arm for each in periods),
        watch=HarmWatch(alpha=alpha).seen(_increments(periods, cap)),
    )


def _increments(periods: Sequence[ActedPeriod], cap: float) -> Increments:
    """One value per organisation and period ``[k]``."""
    ordered = sorted(periods, key=lambda each: (each.start_us, each.organisation))
    harm, reach = [], []
    for _, rows in groupby(ordered, key=lambda each: (each.start_us, each.organisation)):
        together = [(_harm(each, cap), _reach(each, cap)) for each in rows]
        harm.append(sum(each[0] for each in together))
        reach.append(sum(each[1] for each in together))
    return Increments(np.asarray(harm, dtype=float), np.asarray(reach, dtype=float))


def _harm(period: ActedPeriod, cap: float) -> float:
    allowed = _allowed(period, cap)
    if not period.churned:
        return -allowed
    if period.arm == period.proposed_arm:
        return 1.0 / period.marginal - allowed
    return (-1.0 / period.neutral_marginal if period.arm == NEUTRAL else 0.0) - allowed


def _reach(period: ActedPeriod, cap: float) -> float:
    """How far below 0 the period could have fallen: by a churn at 100."""
    if period.neutral_marginal <= 0.0:
        # Nobody is ever kept at 100, so there is nothing to compare with.
        return math.inf
    return 1.0 / period.neutral_marginal + _allowed(period, cap)


def _allowed(period: ActedPeriod, cap: float) -> float:
    return cap * period.period_days / DAYS_OF_CAP
