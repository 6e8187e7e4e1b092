"""Randomisation tests: would the logged draws have shown as much if arms did nothing?

Arms are redrawn from the logged propensities, one draw per organisation and period as in the
experiment, while outcomes stay (Fisher 1935). The statistic is computed again each time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.contrast import Trials
from training.dataset import Floats, Ints
from training.outcome import OUTCOMES

REDRAWS = 199


@dataclass(frozen=True, slots=True)
class Verdicts:
    """p-values per outcome ``[3]``: of any effect at all, and of segments that differ."""

    pooled: Floats
    segment: Floats


def randomisation_test(trials: Trials, *, seed: int, redraws: int = REDRAWS) -> Verdicts:
    """Test both blocks; p is (1 + redraws at least as extreme) / (1 + redraws)."""
    rng = np.random.Generator(np.random.Philox(seed))
    design = _Design(trials)
    observed = design.statistics(trials.arm)
    exceeded = np.ones((2, len(OUTCOMES)))
    for _ in range(redraws):
        exceeded += design.statistics(design.redraw(rng)) >= observed
    return Verdicts(exceeded[0] / (redraws + 1), exceeded[1] / (redraws + 1))


class _Design:
    """What stays fixed over redraws, arranged so that one redraw is a few passes over the rows."""

    def __init__(self, trials: Trials) -> None:
        self.trials = trials
        self.cumulative = np.cumsum(trials.offered, axis=1)
        self.cumulative /= self.cumulative[:, -1:]
        self.draws = int(trials.draw.max()) + 1 if len(trials) else 0
        self.others = [i for i in range(len(trials.arms)) if i != trials.neutral]
        self.groups = len(trials.segments)
        self.events = np.flatnonzero(trials.happened.any(axis=1))
        self.rate = trials.happened.mean(axis=0) if len(trials) else np.zeros(len(OUTCOMES))
        self.size = np.stack([self._sizes(arm) for arm in self.others])

    def _sizes(self, arm: int) -> Floats:
        """Expected variance factor of the contrast per segment, from the design alone ``[S]``."""
        trials = self.trials
        both = (trials.offered[:, arm] > 0) & (trials.offered[:, trials.neutral] > 0)
        code = trials.segment[both]
        count = np.bincount(code, minlength=self.groups).astype(float)
        factor = np.zeros(self.groups)
        for column in (arm, trials.neutral):
            inverse = np.bincount(
                code, weights=1.0 / trials.offered[both, column], minlength=self.groups
            )
            factor += np.divide(
                inverse, count**2, out=np.full(self.groups, np.inf), where=count > 0
            )
        return factor

    def redraw(self, rng: np.random.Generator) -> Ints:
        """New arms ``[n]`` from the logged propensities, shared within a draw."""
        uniform = rng.random(self.draws)[self.trials.draw]
        arm: Ints = (uniform[:, None] >= self.cumulative).sum(axis=1)
        return np.minimum(arm, len(self.trials.arms) - 1)

    def statistics(self, arm: Ints) -> Floats:
        """``[2, 3]``: squared pooled contrasts and squared deviations of segments from them."""
        difference = np.stack([self._differences(arm, other) for other in self.others])
        variance = self.size[:, :, None] * np.maximum(self.rate * (1 - self.rate), 1e-12)
        known = np.isfinite(difference) & np.isfinite(variance)
        precision = np.where(known, 1.0 / np.where(known, variance, 1.0), 0.0)
        filled = np.where(known, difference, 0.0)
        total = precision.sum(axis=1)
        pooled = np.divide(
            (precision * filled).sum(axis=1), total, out=np.zeros_like(total), where=total > 0
        )
        apart = (precision * (filled - pooled[:, None, :]) ** 2).sum(axis=(0, 1))
        return np.stack([(total * pooled**2).sum(axis=0), apart])

    def _differences(self, arm: Ints, other: int) -> Floats:
        """Contrast of ``other`` with 100 per segment and outcome ``[S, 3]``; NaN without rows."""
        offered, neutral = self.trials.offered, self.trials.neutral
        means = []
        for column, counterpart in ((other, neutral), (neutral, other)):
            rows = np.flatnonzero((arm == column) & (offered[:, counterpart] > 0))
            weight = 1.0 / offered[rows, column]
            code = self.trials.segment[rows]
            total = np.bincount(code, weights=weight, minlength=self.groups)
            happened = self.trials.happened[rows]
            hit = np.flatnonzero(happened.any(axis=1))
            sums = np.stack(
                [
                    np.bincount(
                        code[hit], weights=weight[hit] * happened[hit, k], minlength=self.groups
                    )
                    for k in range(len(OUTCOMES))
                ],
                axis=1,
            )
            with np.errstate(invalid="ignore", divide="ignore"):
                means.append(sums / total[:, None])
        return means[0] - means[1]
