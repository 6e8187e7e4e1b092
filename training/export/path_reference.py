"""What the attribution graph must give, computed from the models themselves.

LightGBM routes the rows to their leaves, and its own dump says what lies on the way there: nothing
of the export is used, so that a mistake in it cannot hide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.export.outcome_order import ordered
from training.outcome_model import FittedOutcome

Floats = NDArray[np.float64]


def path_contributions(
    outcomes: Sequence[FittedOutcome],
    group_of: Sequence[int],
    group_count: int,
    matrix: NDArray[np.float32],
) -> Floats:
    """Path attribution of ``matrix`` [n, F] on the calibrated log-odds scale: float64 [n, 3, G].

    ``group_of`` names the factor group (0..G-1) of each feature, G is ``group_count``.
    """
    models = ordered(outcomes, matrix.shape[1])
    parts = [_of_one(model, np.asarray(group_of), group_count, matrix) for model in models]
    return np.stack(parts, axis=1)


def _of_one(
    model: FittedOutcome, group_of: NDArray[Any], groups: int, matrix: NDArray[np.float32]
) -> Floats:
    found = np.zeros((len(matrix), groups))
    if model.linear is not None:
        terms = model.linear.standardise(matrix) * model.linear.coef
        for group in range(groups):
            found[:, group] = terms[:, group_of == group].sum(axis=1)
    elif model.kind == "lightgbm":
        leaves = np.asarray(model.booster.predict(matrix, pred_leaf=True), dtype=np.int64)
        trees = model.booster.dump_model()["tree_info"]
        for at, info in enumerate(trees):
            credits = _leaf_credits(info["tree_structure"], group_of, groups)
            found += credits[leaves.reshape(len(matrix), -1)[:, at]]
    return found * model.calibration.slope


def _leaf_credits(root: Mapping[str, Any], group_of: NDArray[Any], groups: int) -> Floats:
    """By LightGBM's leaf number: what each group was credited on the way there ``[L, G]``."""
    credits: dict[int, Floats] = {}

    def descend(node: Mapping[str, Any], credit: Floats) -> None:
        if "leaf_value" in node:
            credits[int(node.get("leaf_index", 0))] = credit
            return
        before, _ = _average(node)
        for side in ("left_child", "right_child"):
            after, _ = _average(node[side])
            step = np.zeros(groups)
            step[group_of[int(node["split_feature"])]] = after - before
            descend(node[side], credit + step)

    descend(root, np.zeros(groups))
    return np.stack([credits[leaf] for leaf in range(len(credits))])


def _average(node: Mapping[str, Any]) -> tuple[float, float]:
    """Mean of the leaves below, weighted with training rows, and how many rows."""
    if "leaf_value" in node:
        return float(node["leaf_value"]), float(node.get("leaf_count", 1.0))
    sides = [_average(node[side]) for side in ("left_child", "right_child")]
    rows = sum(count for _, count in sides)
    if rows <= 0.0:
        return sum(value for value, _ in sides) / 2.0, 0.0
    return sum(value * count for value, count in sides) / rows, rows
