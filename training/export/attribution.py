"""The attribution graph: how far each factor group moves each outcome's log-odds.

Path attribution (Saabas 2014): walking down a tree, the change of the average from a node to its
child is credited to the feature that the node splits on. A leaf's credits are constants, so the
whole explanation is one tree ensemble with several numbers a leaf. A linear model's contribution
is its own term. Together with the average they add up to the prediction's log-odds exactly, but
unlike Shapley values they depend on the order of splits.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from flyball.errors import InvalidInput
from training.export.ensemble import tree_ensemble
from training.export.forest import Tree, forest_of
from training.export.graph import DOUBLE, FLOAT, GraphBuilder
from training.export.hazards import column_of
from training.export.linear import StandardInputs
from training.export.outcome_order import ordered
from training.outcome_model import OUTCOMES, FittedOutcome


def attribution_graph(
    outcomes: Sequence[FittedOutcome], group_of: Sequence[int], group_count: int
) -> bytes:
    """ONNX: ``x`` float32 [n, F] → ``contribution`` float32 [n, 3, G] on the log-odds scale.

    Parameters
    ----------
    outcomes:
        The three fitted outcomes; calibration slopes are applied, intercepts are not part of it.
    group_of:
        For each feature the position of its factor group (0..G-1).
    group_count:
        G ≥ 1.
    """
    if not group_of or not all(0 <= group < group_count for group in group_of):
        raise InvalidInput("Every feature needs a factor group.", field="factor_groups")
    features = len(group_of)
    models = ordered(outcomes, features)
    width = len(OUTCOMES) * group_count
    add = GraphBuilder()
    parts = _linear_parts(add, models, group_of, group_count)
    trees = [
        (tree, _credits(tree, group_of, k * group_count, model.calibration.slope))
        for k, model in enumerate(models)
        if model.kind == "lightgbm"
        for tree in forest_of(model, features)
    ]
    if trees:
        parts.append(add.node("Cast", [tree_ensemble(add, trees, width)], to=DOUBLE))
    total = parts[0] if parts else column_of(add, 0.0, width)
    for part in parts[1:]:
        total = add.node("Add", [total, part])
    shape = add.constant(np.array([-1, len(OUTCOMES), group_count]))
    shaped = add.node("Reshape", [add.node("Cast", [total], to=FLOAT), shape])
    add.output(shaped, "contribution")
    return add.model(
        "attribution",
        [("x", FLOAT, ["n", features])],
        [("contribution", FLOAT, ["n", len(OUTCOMES), group_count])],
    )


def _linear_parts(
    add: GraphBuilder,
    models: Sequence[FittedOutcome],
    group_of: Sequence[int],
    group_count: int,
) -> list[str]:
    inputs = StandardInputs(add)
    weights: dict[str, np.ndarray[tuple[int, int], np.dtype[np.float64]]] = {}
    for k, model in enumerate(models):
        if model.linear is None:
            continue
        shape = (len(group_of), len(models) * group_count)
        table = weights.setdefault(inputs.of(model.linear), np.zeros(shape))
        for feature, group in enumerate(group_of):
            value = model.linear.coef[feature] * model.calibration.slope
            table[feature, k * group_count + group] = value
    return [add.node("MatMul", [name, add.constant(table)]) for name, table in weights.items()]


def _credits(
    tree: Tree, group_of: Sequence[int], offset: int, slope: float
) -> dict[int, dict[int, float]]:
    """For every leaf's position: target → calibrated log-odds credited on the way to it."""
    reached: list[dict[int, float]] = [{} for _ in tree]
    leaves: dict[int, dict[int, float]] = {}
    # Parents come before children, so one pass fills everything in.
    for position, node in enumerate(tree):
        if node.is_leaf:
            leaves[position] = reached[position]
            continue
        target = offset + group_of[node.feature]
        for child in (node.left, node.right):
            credit = dict(reached[position])
            gain = (tree[child].value - node.value) * slope
            credit[target] = credit.get(target, 0.0) + gain
            reached[child] = credit
    return leaves
