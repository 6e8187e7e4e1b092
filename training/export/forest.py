"""A LightGBM model as plain trees, checked for everything that the graphs cannot express."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flyball.errors import InvalidInput
from training.outcome_model import FittedOutcome

_OBJECTIVE = "binary sigmoid:1"


@dataclass(frozen=True, slots=True)
class Node:
    """One node. ``left`` and ``right`` are positions in the tree, -1 in a leaf.

    ``x[feature] <= threshold`` goes left; a missing value goes left if ``missing_left``. ``value``
    is the leaf's log-odds, or the average of the leaves below weighted with ``cover``, the number
    of training rows.
    """

    feature: int
    threshold: float
    missing_left: bool
    left: int
    right: int
    value: float
    cover: float

    @property
    def is_leaf(self) -> bool:
        """Whether rows end here."""
        return self.left < 0


#: Nodes from the root (position 0), parents before children.
Tree = tuple[Node, ...]


def forest_of(model: FittedOutcome, feature_count: int) -> tuple[Tree, ...]:
    """The trees of a LightGBM outcome; their leaves' sum is its uncalibrated log-odds.

    Raises
    ------
    InvalidInput
        For another objective, averaged, linear or categorical trees, ``zero_as_missing``, or a
        feature count that is not the model's.
    """
    dump: Mapping[str, Any] = model.booster.dump_model()
    objective = str(dump.get("objective", ""))
    if objective != _OBJECTIVE:
        raise _unsupported(model, f"the objective {objective!r} (use binary with sigmoid 1)")
    if dump.get("average_output"):
        raise _unsupported(model, "averaged trees (boosting=rf)")
    if int(dump["max_feature_idx"]) + 1 != feature_count:
        raise _unsupported(model, f"{int(dump['max_feature_idx']) + 1} features")
    return tuple(_tree(model, info["tree_structure"]) for info in dump["tree_info"])


def _tree(model: FittedOutcome, root: Mapping[str, Any]) -> Tree:
    nodes: list[Node] = []

    def visit(raw: Mapping[str, Any]) -> int:
        position = len(nodes)
        if "leaf_value" in raw:
            if "leaf_coeff" in raw:
                raise _unsupported(model, "linear trees")
            cover = float(raw.get("leaf_count", 1.0))
            nodes.append(Node(0, 0.0, False, -1, -1, float(raw["leaf_value"]), cover))
            return position
        feature, threshold, missing_left = _split(model, raw)
        nodes.append(Node(feature, threshold, missing_left, -1, -1, 0.0, 0.0))
        left, right = visit(raw["left_child"]), visit(raw["right_child"])
        cover = nodes[left].cover + nodes[right].cover
        share = nodes[left].cover / cover if cover > 0.0 else 0.5
        value = share * nodes[left].value + (1.0 - share) * nodes[right].value
        nodes[position] = Node(feature, threshold, missing_left, left, right, value, cover)
        return position

    visit(root)
    return tuple(nodes)


def _split(model: FittedOutcome, raw: Mapping[str, Any]) -> tuple[int, float, bool]:
    if raw["decision_type"] != "<=":
        raise _unsupported(model, "categorical splits")
    threshold = _unclamped(float(raw["threshold"]))
    missing = str(raw["missing_type"])
    if missing == "NaN":
        return int(raw["split_feature"]), threshold, bool(raw["default_left"])
    if missing == "None":
        # Training saw no missing value here: LightGBM then reads NaN as 0.
        return int(raw["split_feature"]), threshold, threshold >= 0.0
    raise _unsupported(model, f"missing values of type {missing} (zero_as_missing)")


def _unclamped(threshold: float) -> float:
    # The model dump writes an infinite threshold (all present values on one side, missing ones on
    # the other) as 1e300, which would send an infinite input to the other side.
    return math.copysign(math.inf, threshold) if abs(threshold) >= 1e300 else threshold


def _unsupported(model: FittedOutcome, what: str) -> InvalidInput:
    return InvalidInput(
        f"{model.outcome}: a LightGBM model with {what} cannot be exported.",
        "Train a plain binary gradient-boosted model on the listed features.",
        field=model.outcome,
    )
