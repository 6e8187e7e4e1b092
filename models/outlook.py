"""From scores (arrays) to the outlook of one tenant (words that policies know)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

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


class _LazyEffects(Mapping[int, ArmEffect]):
    """Effects of one tenant by arm, made when asked for: most policies look at one or two."""

    __slots__ = ("_at", "_doses", "_made", "_means", "_sds", "_trusts")

    def __init__(
        self,
        at: Mapping[int, int],
        means: list[list[float]],
        sds: list[list[float]],
        trusts: list[int],
        doses: list[float],
    ) -> None:
        self._at = at
        self._means, self._sds = means, sds
        self._trusts, self._doses = trusts, doses
        self._made: dict[int, ArmEffect] = {}

    def __getitem__(self, arm: int) -> ArmEffect:
        made = self._made.get(arm)
        if made is None:
            at = self._at[arm]
            made = self._made[arm] = _effect(
                arm, self._means[at], self._sds[at], self._trusts[at], self._doses[at]
            )
        return made

    def __iter__(self) -> Iterator[int]:
        return iter(self._at)

    def __len__(self) -> int:
        return len(self._at)


def outlooks_of(
    scores: Scores, arms: Sequence[int], dose: Float32, demand_per_period: Sequence[float]
) -> list[Outlook]:
    """The outlooks of a whole batch, equal to :func:`outlook_of` row by row but made faster.

    For answers made while somebody waits; a control loop that keeps its outlooks is better off
    with plain ones, which hold nothing back.

    Parameters
    ----------
    scores, arms, dose:
        As for :func:`outlook_of`.
    demand_per_period:
        One for each row.
    """
    at = {arm: column for column, arm in enumerate(arms)}
    return [
        Outlook(
            hazards=Hazards(upgrade=upgrade, downgrade=downgrade, churn=churn),
            effects=_LazyEffects(at, means, sds, trusts, doses),
            demand_per_period=demand,
        )
        for (upgrade, downgrade, churn), means, sds, trusts, doses, demand in zip(
            scores.hazards.tolist(),
            scores.mean.tolist(),
            scores.sd.tolist(),
            scores.trust.tolist(),
            dose.tolist(),
            demand_per_period,
            strict=True,
        )
    ]


#: Compared with itself: known to be nothing, for every tenant.
_NEUTRAL_EFFECT = ArmEffect(
    arm=NEUTRAL,
    dose=0.0,
    trust=Trust.PERSONAL,
    upgrade=NO_EFFECT,
    downgrade=NO_EFFECT,
    churn=NO_EFFECT,
)


def _effect(
    arm: int, mean: list[float], deviation: list[float], trust: int, dose: float
) -> ArmEffect:
    if arm == NEUTRAL:
        return _NEUTRAL_EFFECT
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
