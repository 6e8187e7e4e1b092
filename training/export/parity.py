"""Do the graphs give what the fitted models give? Measured where they would differ first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.scorer import Float32, Scorer
from training.export.forest import forest_of
from training.export.outcome_order import ordered
from training.outcome_model import FittedOutcome, bounded_hazards

#: Largest difference in probability that float32 sums of trees may cause.
PARITY_TOLERANCE = 1e-5

_SPECIAL = (np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, -1e-45, 1e-35, -1e-35, 3.4e38, -3.4e38)


def reference_hazards(
    outcomes: Sequence[FittedOutcome], matrix: NDArray[np.float32]
) -> NDArray[np.float64]:
    """What the hazards graph must give for ``matrix`` [n, F]: float64 [n, 3]."""
    models = ordered(outcomes, matrix.shape[1])
    return bounded_hazards(np.stack([model.predict(matrix) for model in models], axis=1))


def worst_difference(
    scorer: Scorer, outcomes: Sequence[FittedOutcome], matrix: NDArray[np.float32]
) -> float:
    """Largest absolute difference in any hazard over ``matrix`` [n, F]."""
    if not len(matrix):
        return 0.0
    served = scorer.hazards(np.ascontiguousarray(matrix, dtype=np.float32))
    return float(np.abs(served - reference_hazards(outcomes, matrix)).max())


def threshold_rows(
    outcomes: Sequence[FittedOutcome],
    sample: NDArray[np.float32],
    *,
    limit: int = 20_000,
    seed: int = 0,
) -> Float32:
    """Rows that sit exactly where a conversion goes wrong, at most ``limit``.

    For every split of every tree: the threshold's float32, its two neighbours, each put into a row
    of ``sample``; and for every feature the special values (NaN, infinities, zeros, denormals).
    """
    width = sample.shape[1]
    places = {
        (node.feature, value)
        for model in ordered(outcomes, width)
        if model.kind == "lightgbm"
        for tree in forest_of(model, width)
        for node in tree
        if not node.is_leaf
        for value in _around(node.threshold)
    }
    probes = sorted(places)
    random = np.random.default_rng(seed)
    if len(probes) > limit:
        picked = np.sort(random.choice(len(probes), limit, replace=False))
        probes = [probes[at] for at in picked]
    probes += [
        (feature, float(v)) for feature in range(width) for v in np.array(_SPECIAL, np.float32)
    ]
    rows = np.array(sample[random.integers(0, len(sample), len(probes))], dtype=np.float32)
    for row, (feature, value) in zip(rows, probes, strict=True):
        row[feature] = value
    return rows


def _around(threshold: float) -> tuple[float, float, float]:
    with np.errstate(over="ignore"):
        middle = np.float32(threshold)
        below = np.nextafter(middle, np.float32(-np.inf))
        above = np.nextafter(middle, np.float32(np.inf))
    return float(below), float(middle), float(above)
