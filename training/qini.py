"""Whether predicted effects rank tenants: an arm's Qini curve on organisations not learned from.

Rows are taken from the largest predicted effect down; counted is what the arm caused among them, by
inverse propensities (Radcliffe 2007; Nie and Wager's residuals take away what risk explains). A
ranking that knows nothing follows the straight line.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from flyball.arm import NEUTRAL
from training.clustered import clustered_mean
from training.dataset import Bools, Floats, Ints
from training.held_out import HeldOut
from training.outcome_model import OUTCOMES

#: Fewer drawn rows of an arm and its curve is left out.
MIN_ROWS = 100
#: Points of a curve.
POINTS = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Qini:
    """One arm's curve for one outcome.

    ``share`` [P] of rows taken, ``caused`` [P] outcomes that the arm causes a row of all rows (0.01
    is one in a hundred), ``half`` [P] half a 95 % interval, clustered by organisation.
    ``coefficient`` is the area between curve and straight line, ``error`` its standard error.
    """

    outcome: str
    arm: int
    rows: int
    share: Floats
    caused: Floats
    half: Floats
    coefficient: float
    error: float

    @property
    def ranks(self) -> bool:
        """Whether the ranking is better than none beyond chance (one-sided 95 %)."""
        return self.coefficient > 1.645 * self.error

    def figures(self) -> dict[str, float]:
        """For a run's metrics."""
        name = f"qini.{self.outcome}.{self.arm}"
        return {name: self.coefficient, f"{name}.error": self.error}


def qini_curves(held: HeldOut) -> tuple[Qini, ...]:
    """Curves of the tightest and the loosest arm that was drawn often enough, per outcome.

    Outcomes whose predicted effects are all alike have nothing to rank and are left out.
    """
    arms = held.rows.arms
    drawn = np.bincount(held.logged.arm, minlength=len(arms))
    able = [at for at, arm in enumerate(arms) if arm != NEUTRAL and drawn[at] >= MIN_ROWS]
    chosen = [at for at in able if at in (min(able), max(able))]
    return tuple(curve for at in chosen for curve in _of_arm(held, at))


def _of_arm(held: HeldOut, at: int) -> Iterator[Qini]:
    neutral = held.rows.arms.index(NEUTRAL)
    logged, codes = held.logged, held.rows.codes()
    both: Bools = (logged.offered[:, at] > 0.0) & (logged.offered[:, neutral] > 0.0)
    if not both.any():
        return
    sign = (logged.arm == at).astype(np.float64) - (logged.arm == neutral)
    weight = np.where(sign != 0.0, sign / logged.propensity, 0.0)[both]
    for index, outcome in enumerate(OUTCOMES):
        score = held.effects[both, at, index]
        if float(np.ptp(score)) <= 1e-9:
            continue
        left = (codes == index + 1).astype(np.float64) - held.hazards[:, index]
        caused = weight * left[both]
        yield _curve(outcome, held.rows.arms[at], score, caused, logged.cluster[both])


def _curve(outcome: str, arm: int, score: Floats, caused: Floats, cluster: Ints) -> Qini:
    # Tied rows are taken together, each in the middle of its tie, so that their order says nothing.
    _, place, count = np.unique(-score, return_inverse=True, return_counts=True)
    middle = ((np.cumsum(count) - count / 2.0) / len(score))[place]
    points = np.linspace(0.0, 1.0, POINTS)
    first, width = ((np.cumsum(count) - count) / len(score))[place], (count / len(score))[place]
    found = [
        clustered_mean(caused * np.clip((point - first) / width, 0.0, 1.0), cluster)
        for point in points
    ]
    area = clustered_mean(caused * (0.5 - middle), cluster)
    return Qini(
        outcome=outcome,
        arm=arm,
        rows=len(score),
        share=points,
        caused=np.asarray([each.mean for each in found]),
        half=1.96 * np.asarray([each.error for each in found]),
        coefficient=area.mean,
        error=area.error,
    )
