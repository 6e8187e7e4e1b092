"""Hájek contrasts: what an arm's rows did, against what the same rows would do at m = 1.

For an arm only rows are compared that were offered both it and 100; each counts with one over the
propensity of what it was assigned (Hájek 1971; Horvitz and Thompson 1952).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from flyball.arm import NEUTRAL
from training.clustered import clustered_error
from training.dataset import Bools, Dataset, Floats, Ints
from training.export.effects import QUIET_DOSE
from training.outcome import OUTCOMES


@dataclass(frozen=True, slots=True, kw_only=True)
class Trials:
    """The analysed rows of a dataset as arrays of n rows.

    ``arm`` [n] is a column of ``offered`` [n, A] (propensities, 0: not offered) and of ``dose``
    [n, A] (NaN: unknown); ``happened`` [n, 3]; ``segment``, ``cluster`` and ``draw`` [n] are codes
    (``draw``: rows that share one random draw, that is organisation and period); ``segments`` names
    the codes; ``arms`` is the grid.
    """

    arm: Ints
    offered: Floats
    dose: Floats
    happened: Floats
    segment: Ints
    cluster: Ints
    draw: Ints
    segments: tuple[str, ...]
    arms: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.arm)

    @property
    def neutral(self) -> int:
        """Column of the arm 100."""
        return self.arms.index(NEUTRAL)


@dataclass(frozen=True, slots=True)
class Contrast:
    """One arm against 100 for one outcome: difference in probability per period and its error.

    ``rows`` and ``events`` are effective numbers (Kish): what equal weights would need.
    """

    difference: float
    error: float
    rows: float
    events: float


def trials_of(dataset: Dataset) -> Trials:
    """Rows drawn with known propensities, on the grid, where at least one arm could be felt.

    Rows whose every dose is known and below ``QUIET_DOSE`` have no effect by definition and would
    only dilute it. Propensities that do not sum to 1 were not all logged.
    """
    offered, dose = dataset.offered(), dataset.dose()
    felt = ~(np.abs(dose) < QUIET_DOSE).all(axis=1)
    column = np.full(len(dataset), -1, dtype=np.int64)
    for index, arm in enumerate(dataset.arms):
        column[dataset.arm() == arm] = index
    complete = np.abs(np.nan_to_num(offered).sum(axis=1) - 1.0) < 1e-3
    known = complete & felt & (column >= 0) & dataset.analysed()
    own = offered[np.arange(len(dataset)), np.maximum(column, 0)]
    # A logged arm with propensity 0 contradicts itself and cannot be weighted.
    keep = known & (np.nan_to_num(own) > 0.0)
    kept = dataset.take(keep)
    segment, segments = kept.groups("segment")
    cluster, _ = kept.groups("organisation")
    _, draw = np.unique(np.stack([cluster, kept.start_hours()]), axis=1, return_inverse=True)
    return Trials(
        arm=column[keep],
        offered=offered[keep],
        dose=dose[keep],
        happened=np.column_stack([kept.outcome(o) for o in OUTCOMES]).astype(np.float64),
        segment=segment,
        cluster=cluster,
        draw=np.asarray(draw, dtype=np.int64).reshape(-1),
        segments=tuple(segments),
        arms=dataset.arms,
    )


def contrasts(trials: Trials, arm: int, among: Bools) -> list[Contrast]:
    """Contrast of column ``arm`` with 100 for each outcome, over the rows ``among`` [n]."""
    neutral = trials.neutral
    both = among & (trials.offered[:, arm] > 0.0) & (trials.offered[:, neutral] > 0.0)
    treated, control = both & (trials.arm == arm), both & (trials.arm == neutral)
    weight = np.zeros(len(trials))
    weight[treated] = 1.0 / trials.offered[treated, arm]
    weight[control] = 1.0 / trials.offered[control, neutral]
    pair = treated | control
    return [
        _contrast(
            trials.happened[pair, outcome],
            weight[pair],
            treated[pair],
            trials.cluster[pair],
        )
        for outcome in range(len(OUTCOMES))
    ]


def _contrast(happened: Floats, weight: Floats, treated: Bools, cluster: Ints) -> Contrast:
    if not treated.any() or treated.all():
        return Contrast(0.0, float("inf"), 0.0, 0.0)
    up = np.where(treated, weight, 0.0)
    down = np.where(treated, 0.0, weight)
    total_up, total_down = float(up.sum()), float(down.sum())
    mean_up = float((up * happened).sum()) / total_up
    mean_down = float((down * happened).sum()) / total_down
    influence = up * (happened - mean_up) / total_up - down * (happened - mean_down) / total_down
    size_up, size_down = kish(up), kish(down)
    # Few events make the clustered error too small; it is at least that of independent rows with
    # the joint rate, to which half an event is added.
    rate = (float((weight * happened).sum()) / float(weight.sum()) * len(happened) + 0.5) / (
        len(happened) + 1.0
    )
    floor = rate * (1.0 - rate) * (1.0 / size_up + 1.0 / size_down)
    error = max(clustered_error(influence, cluster), floor**0.5)
    return Contrast(mean_up - mean_down, error, min(size_up, size_down), kish(weight * happened))


def kish(weight: Floats) -> float:
    """Effective number of rows of ``weight``: (Σw)² / Σw² (0 without any)."""
    squares = float((weight**2).sum())
    return float(weight.sum()) ** 2 / squares if squares > 0.0 else 0.0
