"""Rows of the training table as a logged bandit."""

from __future__ import annotations

import numpy as np

from flyball.errors import InvalidInput
from training.dataset import Bools, Dataset, Floats
from training.off_policy.logged import LoggedBandit


def usable_units(dataset: Dataset) -> Bools:
    """Units ``[n]`` whose arm was drawn with logged probabilities for every arm of the grid."""
    offered = dataset.offered()
    on_grid = np.isin(dataset.arm(), dataset.arms)
    return np.asarray(dataset.analysed() & on_grid & np.isfinite(offered).all(axis=1))


def logged_units(dataset: Dataset, reward: Floats, predicted: Floats | None = None) -> LoggedBandit:
    """The usable units of ``dataset`` with ``reward`` ``[n]`` and predictions ``[n, A]``.

    Events are units that ended with any outcome; strata are how the arm came about, in
    alphabetical order (``drawn``, ``holdout``). Policies to compare must be given for the rows of
    ``usable_units``, and must keep holdout units at m = 1, as the guardrails will.

    Raises
    ------
    InvalidInput
        No unit was drawn with logged probabilities.
    """
    usable = usable_units(dataset)
    if not usable.any():
        raise InvalidInput(
            "No unit was drawn with logged probabilities, so no policy can be valued.",
            "Let exploration run for some periods first.",
            field="dataset",
        )
    return LoggedBandit(
        reward=reward[usable],
        arm=np.searchsorted(np.asarray(dataset.arms), dataset.arm()[usable]).astype(np.int64),
        offered=dataset.offered()[usable],
        cluster=dataset.groups("organisation")[0][usable],
        predicted=None if predicted is None else predicted[usable],
        stratum=dataset.groups("assignment")[0][usable],
        event=(dataset.codes() != 0)[usable],
    )
