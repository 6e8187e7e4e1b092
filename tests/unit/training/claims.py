"""A learner that claims an effect, for gates that must not believe it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.dataset import Dataset
from training.effects import TRUST_SEGMENT, ArmEffects


@dataclass(frozen=True)
class Claims:
    """Claims what a unit of limit taken away does, whatever the data say.

    ``upgrade`` and ``churn`` are the changes of the chances; ``only`` names the segment that they
    are claimed of (None: all).
    """

    upgrade: float = 0.0
    churn: float = 0.0
    only: str | None = None

    def fit(self, dataset: Dataset, segments: tuple[str, ...]) -> ArmEffects:
        """The claim, as sure as can be."""
        taken = np.asarray([(100 - arm) / 100.0 for arm in dataset.arms])
        mean = np.zeros((len(segments) + 1, len(dataset.arms), 3))
        for at, segment in enumerate((*segments, "")):
            if self.only in (None, segment):
                mean[at, :, 0], mean[at, :, 2] = self.upgrade * taken, self.churn * taken
        return ArmEffects(
            mean=mean,
            sd=np.zeros_like(mean),
            trust=np.full(mean.shape[:2], TRUST_SEGMENT, dtype=np.int64),
            arms=dataset.arms,
            segments=segments,
            summary="claimed",
        )
