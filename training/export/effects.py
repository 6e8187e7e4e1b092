"""The effects graph of the first estimator: arm means by segment, looked up."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from flyball.errors import InvalidInput
from training.export.graph import BOOL, FLOAT, INT64, GraphBuilder

#: Where every arm's dose is smaller than this, arms have no effect by definition.
QUIET_DOSE = 0.005


def effects_graph(
    mean: NDArray[Any],
    sd: NDArray[Any],
    trust: NDArray[Any],
    feature_count: int,
    *,
    quiet_dose: float = QUIET_DOSE,
) -> bytes:
    """ONNX: ``x``, ``segment``, ``dose`` → ``mean``, ``sd`` float32 [n, A, 3], ``trust`` [n, A].

    Parameters
    ----------
    mean, sd:
        [S + 1, A, 3] in probability units per period; the last row is for unknown segments.
    trust:
        [S + 1, A] in 0..3; where it is 0, mean and sd are made 0.
    feature_count:
        F, the width of ``x`` (this estimator does not look at it; richer ones do).
    quiet_dose:
        A row whose known doses are all smaller than this (in size) has mean and sd 0 under every
        arm; one unknown dose (NaN) keeps the table's numbers. 0 turns the rule off.
    """
    means, deviations, levels = _checked(mean, sd, trust)
    last, arms = len(levels) - 1, levels.shape[1]
    add = GraphBuilder()
    known = add.node(
        "And",
        [
            add.node("GreaterOrEqual", ["segment", add.constant(np.array(0))]),
            add.node("LessOrEqual", ["segment", add.constant(np.array(last))]),
        ],
    )
    row = add.node("Where", [known, "segment", add.constant(np.array(last))])
    moving = moving_rows(add, quiet_dose)
    nothing = add.constant(np.array(0.0, dtype=np.float32))
    for name, table in (("mean", means), ("sd", deviations)):
        found = add.node("Gather", [add.constant(table), row], axis=0)
        add.output(add.node("Where", [moving, found, nothing]), name)
    add.output(add.node("Gather", [add.constant(levels), row], axis=0), "trust")
    return add.model(
        "effects",
        [
            ("x", FLOAT, ["n", feature_count]),
            ("segment", INT64, ["n"]),
            ("dose", FLOAT, ["n", arms]),
        ],
        [
            ("mean", FLOAT, ["n", arms, 3]),
            ("sd", FLOAT, ["n", arms, 3]),
            ("trust", INT64, ["n", arms]),
        ],
    )


def moving_rows(add: GraphBuilder, quiet_dose: float) -> str:
    """bool [n, 1, 1]: false in rows where every arm's dose is known and quiet."""
    size = add.node("Abs", ["dose"])
    # NaN < q is false: an unknown dose is not a quiet one.
    quiet = add.node("Less", [size, add.constant(np.array(quiet_dose, dtype=np.float32))])
    loud = add.node("Cast", [add.node("Not", [quiet])], to=FLOAT)
    row = add.node("ReduceMax", [loud, add.constant(np.array([1]))], keepdims=1)
    return add.node("Cast", [add.node("Unsqueeze", [row, add.constant(np.array([2]))])], to=BOOL)


def _checked(
    mean: NDArray[Any], sd: NDArray[Any], trust: NDArray[Any]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
    levels = np.asarray(trust, dtype=np.int64)
    shape = (*levels.shape, 3)
    if levels.ndim != 2 or np.shape(mean) != shape or np.shape(sd) != shape:
        raise InvalidInput(
            f"Effects need mean and sd [S+1, A, 3] and trust [S+1, A], not {np.shape(mean)}, "
            f"{np.shape(sd)} and {levels.shape}.",
            field="effects",
        )
    if levels.size == 0 or levels.min() < 0 or levels.max() > 3:
        raise InvalidInput("Effect trust must lie in 0..3.", field="trust")
    absent = levels[:, :, None] == 0
    means = np.where(absent, 0.0, mean).astype(np.float32)
    deviations = np.where(absent, 0.0, sd).astype(np.float32)
    if not (np.isfinite(means).all() and np.isfinite(deviations).all()):
        raise InvalidInput("Effects must be finite where there is trust.", field="effects")
    if (np.abs(means) > 1.0).any() or (deviations < 0.0).any():
        raise InvalidInput("Effects are changes of a probability: -1..1, sd ≥ 0.", field="effects")
    return means, deviations, levels
