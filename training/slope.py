"""What a unit of dose does: outcome on dose, centred by the draw's own expectation.

The constant-effect case of the R-learner (Nie and Wager 2021; Robinson 1988). Because propensities
are known, the expected dose is known exactly and nothing else has to be modelled.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from flyball.arm import NEUTRAL
from training.clustered import clustered_error
from training.contrast import Trials
from training.dataset import Bools, Floats, Ints
from training.outcome import OUTCOMES


@dataclass(frozen=True, slots=True)
class Slope:
    """Change in probability per period per unit of dose, its clustered error, and the events."""

    value: float
    error: float
    events: int


def felt_dose(trials: Trials) -> Floats:
    """Dose per arm ``[n, A]``; where it is unknown, how far the arm is from 100 stands for it."""
    distance = (NEUTRAL - np.asarray(trials.arms, dtype=np.float64)) / 100.0
    unknown = np.any(~np.isfinite(trials.dose), axis=1, keepdims=True)
    return np.where(unknown, distance[None, :], np.nan_to_num(trials.dose))


def centred_dose(trials: Trials) -> Floats:
    """Dose of each arm minus the dose that the row's propensities led to expect, ``[n, A]``."""
    share = trials.offered / trials.offered.sum(axis=1, keepdims=True)
    dose = felt_dose(trials)
    return np.asarray(dose - (share * dose).sum(axis=1, keepdims=True), dtype=np.float64)


def mean_doses(trials: Trials, among: Bools) -> Floats:
    """Mean dose of each arm ``[A]`` over the rows ``among`` that were offered it (0 without)."""
    dose = felt_dose(trials)
    offered = (trials.offered > 0.0) & among[:, None]
    count = offered.sum(axis=0)
    return np.asarray((dose * offered).sum(axis=0) / np.maximum(count, 1), dtype=np.float64)


def slopes(trials: Trials, among: Bools) -> list[Slope]:
    """Slope of each outcome over the rows ``among`` [n]; infinite error where nothing varies."""
    centred = centred_dose(trials)[among]
    offered = trials.offered[among]
    share = offered / offered.sum(axis=1, keepdims=True)
    variance = float((share * centred**2).sum())
    moved = centred[np.arange(len(centred)), trials.arm[among]]
    return [
        _slope(moved, trials.happened[among, k], variance, trials.cluster[among])
        for k in range(len(OUTCOMES))
    ]


def _slope(moved: Floats, happened: Floats, variance: float, cluster: Ints) -> Slope:
    events = int(happened.sum())
    if variance <= 0.0:
        return Slope(0.0, math.inf, events)
    rate = float(happened.mean())
    value = float((moved * (happened - rate)).sum()) / variance
    influence = moved * (happened - rate - value * moved) / variance
    # Few events make the clustered error too small; half an event is added to the floor.
    smooth = (events + 0.5) / (len(happened) + 1.0)
    floor = math.sqrt(smooth * (1.0 - smooth) / variance)
    return Slope(value, max(clustered_error(influence, cluster), floor), events)
