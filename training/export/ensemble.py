"""Trees as one ``TreeEnsembleRegressor`` whose leaves may carry several numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from training.export.forest import Node, Tree
from training.export.graph import ML_DOMAIN, GraphBuilder
from training.export.threshold import served_threshold

_NODE_COLUMNS = (
    "nodes_treeids",
    "nodes_nodeids",
    "nodes_featureids",
    "nodes_values",
    "nodes_modes",
    "nodes_truenodeids",
    "nodes_falsenodeids",
    "nodes_missing_value_tracks_true",
)

#: What one leaf adds: target → number.
Weights = Mapping[int, float]


def tree_ensemble(
    builder: GraphBuilder,
    trees: Sequence[tuple[Tree, Mapping[int, Weights]]],
    targets: int,
    x: str = "x",
) -> str:
    """Add the operator; its output is float32 [n, targets], the sum over all trees.

    Parameters
    ----------
    trees:
        Each tree with, for every leaf's position, what the leaf adds to which target.
    targets:
        Number of columns.
    x:
        Name of the float32 [n, F] input.
    """
    columns: dict[str, list[Any]] = {name: [] for name in _NODE_COLUMNS}
    leaves: dict[str, list[Any]] = {
        f"target_{name}": [] for name in ("treeids", "nodeids", "ids", "weights")
    }
    for number, (tree, weights) in enumerate(trees):
        for position, node in enumerate(tree):
            _add_node(columns, number, position, node)
            if node.is_leaf:
                _add_leaf(leaves, number, position, weights[position])
    return builder.node(
        "TreeEnsembleRegressor", [x], domain=ML_DOMAIN, n_targets=targets, **columns, **leaves
    )


def _add_node(columns: dict[str, list[Any]], tree: int, position: int, node: Node) -> None:
    leaf = node.is_leaf
    columns["nodes_treeids"].append(tree)
    columns["nodes_nodeids"].append(position)
    columns["nodes_featureids"].append(node.feature)
    columns["nodes_values"].append(0.0 if leaf else float(served_threshold(node.threshold)))
    columns["nodes_modes"].append("LEAF" if leaf else "BRANCH_LEQ")
    columns["nodes_truenodeids"].append(max(node.left, 0))
    columns["nodes_falsenodeids"].append(max(node.right, 0))
    columns["nodes_missing_value_tracks_true"].append(int(node.missing_left and not leaf))


def _add_leaf(leaves: dict[str, list[Any]], tree: int, position: int, weights: Weights) -> None:
    # The runtime wants at least one number in every leaf.
    for target, weight in (weights or {0: 0.0}).items():
        leaves["target_treeids"].append(tree)
        leaves["target_nodeids"].append(position)
        leaves["target_ids"].append(target)
        leaves["target_weights"].append(weight)
