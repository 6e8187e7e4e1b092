"""Segment-shrunk arm means (:class:`training.effects.ArmMeans`) for any effect table."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from flyball.arm import NEUTRAL
from training.contrast import Trials
from training.dataset import Floats, Ints
from training.effects import ArmEffects, ArmMeans
from training.estimators.estimator import Effects, FittedEffects, absent, lacking
from training.estimators.table import EffectTable, Subjects
from training.outcome import OUTCOMES


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmMeanLearner:
    """Hájek arm means, drawn to a line over dose and by segment; 0/1 outcomes only."""

    seed: int = 7
    redraws: int = 199
    name: str = field(default="segment-shrunk arm means", init=False)

    def fit(self, table: EffectTable) -> FittedEffects:
        """Learn from ``table``, one outcome at a time."""
        why = lacking(table)
        if why:
            return absent(table, why)
        estimator = ArmMeans(seed=self.seed, redraws=self.redraws)
        each = tuple(
            estimator.fit_trials(_trials(table, table.outcomes[:, k]), table.segments)
            if table.binary[k]
            else None
            for k in range(len(table.names))
        )
        return ArmMeanEffects(outcomes=each, arms=len(table.arms))


@dataclass(frozen=True, slots=True)
class ArmMeanEffects:
    """Looked up by segment; the arm's dose in a row does not matter."""

    outcomes: tuple[ArmEffects | None, ...]
    arms: int

    @property
    def summary(self) -> str:
        """What was found per outcome."""
        return "; ".join(each.summary for each in self.outcomes if each is not None)

    @property
    def evidence(self) -> dict[str, float]:
        """The first outcome's numbers."""
        return dict(next((each.evidence for each in self.outcomes if each is not None), {}))

    def effects(self, subjects: Subjects) -> Effects:
        """Every row's segment's effects; an unknown segment's are the pooled ones."""
        rows = len(subjects)
        mean = np.zeros((rows, self.arms, len(self.outcomes)))
        sd, trust = np.zeros_like(mean), np.zeros((rows, self.arms), dtype=np.int64)
        for k, each in enumerate(self.outcomes):
            if each is None:
                continue
            place = np.where(subjects.segment < 0, len(each.segments), subjects.segment)
            mean[:, :, k], sd[:, :, k] = each.mean[place, :, 0], each.sd[place, :, 0]
            trust = np.maximum(trust, each.trust[place])
        return Effects(mean=mean, sd=sd, trust=trust)


def _trials(table: EffectTable, happened: Floats) -> Trials:
    """One outcome in the first place, nothing in the others."""
    outcomes = np.zeros((len(table), len(OUTCOMES)))
    outcomes[:, 0] = happened
    return Trials(
        arm=table.arm,
        offered=table.offered,
        dose=table.subjects.dose,
        happened=outcomes,
        segment=_known(table.subjects.segment, len(table.segments)),
        cluster=table.cluster,
        draw=table.draw,
        segments=(*table.segments, ""),
        # Only which of them is neutral matters where doses are known.
        arms=tuple(NEUTRAL if a == table.neutral else 1000 + a for a in range(len(table.arms))),
    )


def _known(segment: Ints, unknown: int) -> Ints:
    return np.where(segment < 0, unknown, segment).astype(np.int64)
