"""Do the graphs give what was fitted? Measured where they would differ first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.scorer import Float32, Scorer
from training.effects import ArmEffects, Reference
from training.export.effects import QUIET_DOSE
from training.export.forest import forest_of
from training.export.outcome_order import ordered
from training.export.path_reference import path_contributions
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


def worst_effects_difference(
    scorer: Scorer,
    effects: ArmEffects,
    matrix: NDArray[np.float32],
    segment: NDArray[np.int64],
    dose: NDArray[np.float32],
) -> float:
    """Largest absolute difference in any arm's effect or its SD; 1 where a level of trust differs.

    ``matrix`` [n, F], ``segment`` [n] and ``dose`` [n, A] are what serving would give the graph.
    """
    if not len(matrix):
        return 0.0
    served = scorer.score(matrix, segment, dose)
    told = effects.reference or _looked_up(effects)
    mean, sd, trust = told(matrix, segment, dose)
    if not np.array_equal(served.trust, trust):
        return 1.0
    gaps = (np.abs(served.mean - mean).max(), np.abs(served.sd - sd).max())
    return float(max(gaps))


def worst_contribution_difference(
    scorer: Scorer, outcomes: Sequence[FittedOutcome], matrix: NDArray[np.float32]
) -> float:
    """Largest difference in any contribution over ``matrix`` [n, F], as a share of 1 + its size."""
    if not len(matrix):
        return 0.0
    groups = scorer.manifest.factor_groups
    owner = {name: at for at, group in enumerate(groups) for name in group.features}
    group_of = [owner[name] for name in scorer.manifest.features]
    expected = path_contributions(outcomes, group_of, len(groups), matrix)
    gap = np.abs(scorer.attribute(matrix) - expected) / (1.0 + np.abs(expected))
    return float(gap.max())


def effect_rows(
    x: NDArray[np.float32], dose: NDArray[np.float32], segments: int, *, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]]:
    """Rows where an effects graph goes wrong first: features, segments and doses.

    Every row of ``x`` [n, F] and ``dose`` [n, A] once for each segment code, known or not, in turn;
    some with special values in a feature, with unknown doses, and with doses around the one below
    which no arm has an effect.
    """
    rows = len(x)
    matrix, doses = np.tile(x, (2, 1)), np.tile(dose, (2, 1))
    random = np.random.default_rng(seed)
    edge = np.float32(QUIET_DOSE)
    edges = np.array([edge, np.nextafter(edge, np.float32(0.0)), np.nan, 0.0, -edge, 1.0])
    for at in range(rows, 2 * rows):
        feature, arm = random.integers(0, x.shape[1]), random.integers(0, dose.shape[1])
        matrix[at, feature] = np.float32(_SPECIAL[at % len(_SPECIAL)])
        if at % 2:
            doses[at] = edges[at % len(edges)]
        else:
            doses[at, arm] = edges[at % len(edges)]
    # One below and two above the vocabulary are unknown too.
    segment = np.arange(2 * rows, dtype=np.int64) % (segments + 3) - 1
    return matrix, segment, doses.astype(np.float32)


def _looked_up(effects: ArmEffects) -> Reference:
    """What a table of effects by segment means."""

    def told(
        x: NDArray[np.float32], segment: NDArray[np.int64], dose: NDArray[np.float32]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
        last = len(effects.segments)
        row = np.where((segment >= 0) & (segment < last), segment, last)
        quiet = np.asarray((np.abs(dose) < np.float32(QUIET_DOSE)).all(axis=1))[:, None, None]
        trust = effects.trust[row]
        silent = quiet | (trust == 0)[:, :, None]
        return (
            np.where(silent, 0.0, effects.mean[row]),
            np.where(silent, 0.0, effects.sd[row]),
            trust,
        )

    return told


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
