"""What a candidate would have done on logged draws of organisations that never taught it.

Its policy runs on each row as it would live, over the arms that were offered there. A row's
earnings are what its outcome is worth over the value horizon, less the assigned arm's cost.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from flyball.arm import NEUTRAL
from flyball.money import TenantMoney
from flyball.outlook import ArmEffect, Outlook, Trust
from flyball.policy import TenantView
from flyball.reason import Reason
from flyball.value import DAYS_PER_MONTH, Worth, arm_advantage, worth_of
from models.bundle import Bundle
from models.outlook import outlook_of
from models.scorer import Scorer
from training.dataset import Bools, Dataset, Floats, Ints
from training.off_policy.logged import LoggedBandit
from training.off_policy.unit_rows import logged_units, usable_units
from training.outcome import Outcome
from training.stakes import Stakes


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """``n`` held-out rows whose arm was drawn with logged probabilities.

    Parameters
    ----------
    rows:
        The units themselves.
    logged:
        Their draws, with churn as the reward.
    policy, static:
        Arm probabilities ``[n, A]`` of the candidate's policy and of staying at 100.
    hazards, effects:
        The candidate's predictions ``[n, 3]`` at m = 1 and ``[n, A, 3]`` against it.
    earned:
        Minor units ``[n]``; NaN where the tenant's money is not known.
    revenue:
        Margin on one period's revenue ``[n]``, in the same unit.
    """

    rows: Dataset
    logged: LoggedBandit
    policy: Floats
    static: Floats
    hazards: Floats
    effects: Floats
    earned: Floats
    revenue: Floats

    @property
    def priced(self) -> Bools:
        """Rows whose earnings are known and that pay something ``[n]``."""
        return np.asarray(np.isfinite(self.earned) & (self.revenue > 0.0))


def held_out(rows: Dataset, bundle: Bundle, stakes: Stakes) -> HeldOut | None:
    """Let the candidate's policy loose on ``rows``; None if none was drawn with probabilities.

    ``bundle``'s effects must not have learned from the organisations of ``rows``.
    """
    usable = usable_units(rows)
    if not usable.any():
        return None
    drawn = rows.take(usable)
    churned = drawn.outcome(Outcome.CHURN).astype(np.float64)
    logged = replace(logged_units(drawn, churned), bounds=(0.0, 1.0))
    segment = _segments(drawn, bundle.manifest.segments)
    dose = drawn.dose().astype(np.float32)
    scores = Scorer(bundle).score(drawn.matrix(), segment, dose)
    neutral = drawn.arms.index(NEUTRAL)
    chosen = np.full(len(drawn), neutral, dtype=np.int64)
    earned, revenue = np.full(len(drawn), math.nan), np.zeros(len(drawn))
    demand, money = drawn.demand(), _purse(drawn, stakes)
    text_segment, plans, codes = drawn.text("segment"), drawn.text("plan"), drawn.codes()
    for row in range(len(drawn)):
        outlook = outlook_of(scores, row, drawn.arms, dose, demand_per_period=float(demand[row]))
        view = TenantView(
            tenant_id="held-out",
            arms=tuple(a for a, p in zip(drawn.arms, logged.offered[row], strict=True) if p > 0.0),
            outlook=outlook,
            segment=text_segment[row],
            plan=plans[row],
            money=money[row],
            economics=stakes.economics,
            period_days=drawn.period_days,
        )
        if NEUTRAL in view.arms:
            chosen[row] = drawn.arms.index(stakes.policy.propose(view).arm)
        worth = worth_of(outlook.hazards, view.money, view.economics, period_days=drawn.period_days)
        if not isinstance(worth, Reason):
            arm = drawn.arms[int(logged.arm[row])]
            earned[row] = _earned(worth, outlook, arm, int(codes[row]))
            revenue[row] = _revenue(view)
    return HeldOut(
        rows=drawn,
        logged=logged,
        policy=np.eye(len(drawn.arms))[chosen],
        static=logged.constant(neutral),
        hazards=scores.hazards.astype(np.float64),
        effects=scores.mean.astype(np.float64),
        earned=earned,
        revenue=revenue,
    )


def _segments(rows: Dataset, vocabulary: tuple[str, ...]) -> Ints:
    """Positions in ``vocabulary`` ``[n]``; its length is unknown."""
    place = {name: at for at, name in enumerate(vocabulary)}
    return np.asarray(
        [place.get(name, len(vocabulary)) for name in rows.text("segment")], dtype=np.int64
    )


def _purse(rows: Dataset, stakes: Stakes) -> list[TenantMoney | None]:
    remembered = lru_cache(maxsize=100_000)(stakes.money)
    revenues = rows.rows["mrr"].to_pylist()
    return [remembered(p, m) for p, m in zip(rows.text("plan"), revenues, strict=True)]


def _earned(worth: Worth, outlook: Outlook, arm: int, outcome: int) -> float:
    """What came of a row, in minor units against nothing having happened at no cost."""
    gains = {
        int(Outcome.UPGRADE): worth.upgrade,
        int(Outcome.DOWNGRADE): -worth.downgrade,
        int(Outcome.CHURN): -worth.churn,
    }
    effect = outlook.effects.get(arm)
    # Without trust an arm has no effect, only its cost.
    bare = ArmEffect(arm=arm, dose=None if effect is None else effect.dose, trust=Trust.NONE)
    return gains.get(outcome, 0.0) + arm_advantage(worth, outlook, bare).mean


def _revenue(view: TenantView) -> float:
    if view.money is None or view.economics is None or view.money.mrr_minor is None:
        return 0.0
    return view.economics.margin * view.money.mrr_minor * view.period_days / DAYS_PER_MONTH
