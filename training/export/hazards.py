"""The hazards graph: three calibrated per-period probabilities at m = 1."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from training.export.ensemble import tree_ensemble
from training.export.forest import forest_of
from training.export.graph import DOUBLE, FLOAT, GraphBuilder
from training.export.linear import StandardInputs
from training.export.outcome_order import ordered
from training.outcome_model import FittedOutcome

#: Log-odds that stand for a probability of 0 or 1.
_CERTAIN = 700.0


def hazards_graph(outcomes: Sequence[FittedOutcome], feature_count: int) -> bytes:
    """ONNX: ``x`` float32 [n, F] → ``hazards`` float32 [n, 3] (upgrade, downgrade, churn).

    Missing values are NaN; infinities are allowed. Calibration is inside. An outcome without a
    model gives its base rate. Rows whose hazards would sum to more than 1 are scaled to sum 1.

    Raises
    ------
    InvalidInput
        If an outcome is missing or its model cannot be expressed.
    """
    models = ordered(outcomes, feature_count)
    add = GraphBuilder()
    inputs = StandardInputs(add)
    log_odds = [_log_odds(add, inputs, model, feature_count) for model in models]
    joined = add.node("Concat", log_odds, axis=1)
    fitted = [model.kind != "none" for model in models]
    slope = [m.calibration.slope if fit else 1.0 for m, fit in zip(models, fitted, strict=True)]
    shift = [m.calibration.intercept if fit else 0.0 for m, fit in zip(models, fitted, strict=True)]
    sloped = add.node("Mul", [joined, add.constant(np.array([slope]))])
    calibrated = add.node("Add", [sloped, add.constant(np.array([shift]))])
    probability = add.node("Sigmoid", [calibrated])
    total = add.node("ReduceSum", [probability, add.constant(np.array([1]))], keepdims=1)
    divisor = add.node("Max", [total, add.constant(np.array(1.0))])
    bounded = add.node("Div", [probability, divisor])
    add.output(add.node("Cast", [bounded], to=FLOAT), "hazards")
    return add.model(
        "hazards", [("x", FLOAT, ["n", feature_count])], [("hazards", FLOAT, ["n", 3])]
    )


def _log_odds(
    add: GraphBuilder, inputs: StandardInputs, model: FittedOutcome, feature_count: int
) -> str:
    if model.linear is not None:
        product = add.node(
            "MatMul", [inputs.of(model.linear), add.constant(model.linear.coef[:, None])]
        )
        return add.node("Add", [product, add.constant(np.array(float(model.linear.intercept)))])
    if model.kind == "lightgbm":
        trees = [
            (tree, {at: {0: node.value} for at, node in enumerate(tree) if node.is_leaf})
            for tree in forest_of(model, feature_count)
        ]
        return add.node("Cast", [tree_ensemble(add, trees, 1)], to=DOUBLE)
    with np.errstate(divide="ignore"):
        constant = np.log(model.base_rate) - np.log1p(-model.base_rate)
    return column_of(add, float(np.clip(constant, -_CERTAIN, _CERTAIN)))


def column_of(add: GraphBuilder, value: float, width: int = 1) -> str:
    """float64 [n, width] filled with ``value``, n taken from ``x``."""
    rows = add.node("Shape", ["x"], start=0, end=1)
    shape = add.node("Concat", [rows, add.constant(np.array([width]))], axis=0)
    return add.node("Expand", [add.constant(np.array([[value]])), shape])
