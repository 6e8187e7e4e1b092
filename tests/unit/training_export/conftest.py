"""Tiny data and LightGBM models for export."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import lightgbm
import numpy as np
import pytest
from numpy.typing import NDArray

from training.outcome_model import FittedOutcome

Fit = Callable[..., FittedOutcome]


@pytest.fixture(scope="session")
def rows() -> NDArray[np.float32]:
    random = np.random.default_rng(5)
    x = random.normal(size=(400, 3)).astype(np.float32)
    x[:, 2] = random.integers(0, 4, 400)
    return x


@pytest.fixture(scope="session")
def fit(rows: NDArray[np.float32]) -> Fit:
    def fit_one(
        outcome: str = "upgrade", settings: Mapping[str, Any] | None = None, **dataset: Any
    ) -> FittedOutcome:
        label = (rows[:, 0] + rows[:, 2] > 1.5).astype(np.float64)
        parameters = {
            "objective": "binary",
            "num_leaves": 4,
            "verbose": -1,
            "num_threads": 1,
            "min_data_in_leaf": 5,
            **(settings or {}),
        }
        data = lightgbm.Dataset(rows, label, params=parameters, **dataset)
        text = lightgbm.train(parameters, data, 5).model_to_string()
        return FittedOutcome(outcome, "lightgbm", float(label.mean()), text)

    return fit_one
