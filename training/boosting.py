"""Gradient-boosted trees: few, small and deterministic, stopped by organisations left aside."""

from __future__ import annotations

import os
from typing import Any

from training.dataset import Bools, Single

MAX_TREES = 300
_PARAMETERS: dict[str, Any] = {
    "objective": "binary",
    "learning_rate": 0.05,
    "num_leaves": 8,
    "max_depth": 4,
    "min_data_in_leaf": 100,
    "min_sum_hessian_in_leaf": 1.0,
    "lambda_l2": 10.0,
    "feature_fraction": 0.7,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "max_bin": 63,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}


def fit_trees(matrix: Single, happened: Bools, aside: Bools, seed: int) -> tuple[str, int]:
    """Fit ``P(happened)`` on ``matrix`` [n, F]; returns LightGBM's text and the number of trees.

    ``aside`` [n] marks the rows that decide when to stop; all rows are then fitted with that many
    trees. No class weights and no resampling.
    """
    # Waiting threads must sleep: training runs beside ingest and serving.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import lightgbm

    parameters = _PARAMETERS | {
        "seed": seed,
        "min_data_in_leaf": _leaf_rows(len(matrix)),
        # Below this, threads wait for each other longer than they work.
        "num_threads": 1 if len(matrix) < 20_000 else 2,
    }
    trees = MAX_TREES // 3
    if happened[aside].sum() >= 10 and happened[~aside].sum() >= 10:
        fit = lightgbm.Dataset(matrix[~aside], happened[~aside], free_raw_data=False)
        check = lightgbm.Dataset(matrix[aside], happened[aside], reference=fit)
        probe = lightgbm.train(
            parameters,
            fit,
            num_boost_round=MAX_TREES,
            valid_sets=[check],
            callbacks=[lightgbm.early_stopping(25, verbose=False)],
        )
        trees = max(1, int(probe.best_iteration))
    whole = lightgbm.Dataset(matrix, happened)
    booster = lightgbm.train(parameters, whole, num_boost_round=trees)
    return str(booster.model_to_string()), trees


def _leaf_rows(rows: int) -> int:
    return max(20, min(200, rows // 200))
