"""Randomisation tests: would the logged draws have shown as much if arms did nothing?

Arms are redrawn from the logged propensities, one draw per organisation and period as in the
experiment, while outcomes stay (Fisher 1935). The statistic is the covariance of outcome and dose:
over the rows that ended with the outcome, the sum of the assigned arm's dose minus the dose its
propensities led to expect. It sees small effects that arm means miss, because friction and relief
pull one way, and tenants who feel an arm more count more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.contrast import Trials
from training.dataset import Floats, Ints
from training.outcome import OUTCOMES
from training.slope import centred_dose

REDRAWS = 999


@dataclass(frozen=True, slots=True)
class Verdicts:
    """p-values per outcome ``[3]``: of any effect at all, and of segments that differ."""

    pooled: Floats
    segment: Floats


def randomisation_test(trials: Trials, *, seed: int, redraws: int = REDRAWS) -> Verdicts:
    """Test both blocks; p is (1 + redraws at least as extreme) / (1 + redraws)."""
    rng = np.random.Generator(np.random.Philox(seed))
    design = _Design(trials)
    observed = design.statistics(trials.arm[design.rows])
    exceeded = np.ones((2, len(OUTCOMES)))
    # Equal statistics may differ in the last bits.
    bar = observed - 1e-9 * np.abs(observed)
    for _ in range(redraws):
        exceeded += design.statistics(design.redraw(rng)) >= bar
    return Verdicts(exceeded[0] / (redraws + 1), exceeded[1] / (redraws + 1))


class _Design:
    """What stays fixed over redraws. Only rows that ended with an outcome count (``rows``)."""

    def __init__(self, trials: Trials) -> None:
        self.rows = np.flatnonzero(trials.happened.any(axis=1))
        self.happened = trials.happened[self.rows]
        self.segment = trials.segment[self.rows]
        self.groups = len(trials.segments)
        offered = trials.offered[self.rows]
        offered = offered / offered.sum(axis=1, keepdims=True)
        self.cumulative = np.cumsum(offered, axis=1)
        self.draw = trials.draw[self.rows]
        self.draws = int(self.draw.max()) + 1 if len(self.rows) else 0
        self.centred = centred_dose(trials)[self.rows]
        variance = (offered * self.centred**2).sum(axis=1)
        #: Variance of each segment's sum under the design, ``[S, 3]``.
        self.variance = self._by_segment(variance[:, None] * self.happened)

    def redraw(self, rng: np.random.Generator) -> Ints:
        """New arms of ``rows`` from the logged propensities, shared within a draw."""
        uniform = rng.random(self.draws)[self.draw]
        arm = (uniform[:, None] >= self.cumulative).sum(axis=1)
        # Rounding may leave the last cumulative share a little below 1.
        return np.asarray(np.minimum(arm, self.cumulative.shape[1] - 1), dtype=np.int64)

    def statistics(self, arm: Ints) -> Floats:
        """``[2, 3]``: squared standardised pooled sum, and how far segments are from it."""
        moved = self.centred[np.arange(len(arm)), arm]
        sums = self._by_segment(moved[:, None] * self.happened)
        total, spread = sums.sum(axis=0), self.variance.sum(axis=0)
        slope = _ratio(total, spread)
        apart = _ratio((sums - slope * self.variance) ** 2, self.variance).sum(axis=0)
        return np.stack([_ratio(total**2, spread), apart])

    def _by_segment(self, values: Floats) -> Floats:
        return np.stack(
            [
                np.bincount(self.segment, weights=values[:, k], minlength=self.groups)
                for k in range(len(OUTCOMES))
            ],
            axis=1,
        )


def _ratio(above: Floats, below: Floats) -> Floats:
    """``above / below``, 0 where ``below`` is 0."""
    return np.divide(above, below, out=np.zeros_like(above), where=below > 1e-300)
