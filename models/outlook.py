"""From scores (arrays) to the outlook of one tenant (words that policies know)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from flyball.arm import NEUTRAL
from flyball.outlook import NO_EFFECT, ArmEffect, Estimate, Hazards, Outlook, Trust
from models.scorer import Float32, Scores

#: Meaning of the numbers in ``Scores.trust``.
TRUST_LEVELS = (Trust.NONE, Trust.POOLED, Trust.SEGMENT, Trust.PERSONAL)


def outlook_of(
    scores: Scores,
    row: int,
    arms: Sequence[int],
    dose: Float32,
    *,
    demand_per_period: float = 0.0,
) -> Outlook:
    """The outlook of the tenant in ``row``.

    Parameters
    ----------
    scores:
        Of the whole batch.
    row:
        Position in the batch.
    arms:
        The manifest's arms (hundredths), one a column.
    dose:
        float32 [n, A], as given to the scorer.
    demand_per_period:
        Expected units of the primary meter in one period (≥ 0).
    """
    upgrade, downgrade, churn = scores.hazards[row].tolist()
    means = scores.mean[row].tolist()
    deviations = scores.sd[row].tolist()
    trusts = scores.trust[row].tolist()
    doses = dose[row].tolist()
    effects = {
        arm: _effect(arm, means[at], deviations[at], trusts[at], doses[at])
        for at, arm in enumerate(arms)
    }
    return Outlook(
        hazards=Hazards(upgrade=upgrade, downgrade=downgrade, churn=churn),
        effects=effects,
        demand_per_period=demand_per_period,
    )


def _effect(
    arm: int, mean: list[float], deviation: list[float], trust: int, dose: float
) -> ArmEffect:
    if arm == NEUTRAL:
        # Compared with itself: known to be nothing, for every tenant.
        return ArmEffect(
            arm=arm,
            dose=0.0,
            trust=Trust.PERSONAL,
            upgrade=NO_EFFECT,
            downgrade=NO_EFFECT,
            churn=NO_EFFECT,
        )
    known_dose = None if math.isnan(dose) else dose
    level = TRUST_LEVELS[trust]
    if level is Trust.NONE:
        return ArmEffect(arm=arm, dose=known_dose, trust=level)
    return ArmEffect(
        arm=arm,
        dose=known_dose,
        trust=level,
        upgrade=Estimate(mean[0], deviation[0]),
        downgrade=Estimate(mean[1], deviation[1]),
        churn=Estimate(mean[2], deviation[2]),
    )
