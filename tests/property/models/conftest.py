"""Small LightGBM and logistic models on features of awkward sizes, as a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
import pytest
from numpy.typing import NDArray

from models.bundle import Bundle
from models.scorer import Scorer
from training.export.draft import Training, draft_bundle
from training.outcome_model import FittedOutcome, Linear, Platt, sigmoid

#: What each column of the sample is like.
COLUMNS = ("plain", "counts", "zeros", "huge", "tiny", "denormal", "no_missing")


@dataclass(frozen=True, repr=False)
class Fitted:
    """Fitted outcomes, the data they were fitted on, and the scorer of their bundle."""

    outcomes: Sequence[FittedOutcome]
    sample: NDArray[np.float32]
    bundle: Bundle
    scorer: Scorer


def sample(rows: int = 3000) -> NDArray[np.float32]:
    """Rows of :data:`COLUMNS`; all but the last have missing values."""
    random = np.random.default_rng(11)
    x = random.normal(size=(rows, len(COLUMNS)))
    x[:, 1] = random.poisson(3.0, rows)
    x[:, 2] = np.where(random.random(rows) < 0.6, 0.0, x[:, 2])
    x[:, 3] *= 5e37
    x[:, 4] *= 1e-34
    x[:, 5] *= 1e-41
    missing = random.random(x.shape) < 0.1
    missing[:, -1] = False
    x[missing] = np.nan
    return x.astype(np.float32)


def _booster(x: NDArray[np.float32], seed: int, **changes: Any) -> str:
    random = np.random.default_rng(seed)
    signal = np.nan_to_num(x[:, 0]) + 0.4 * np.nan_to_num(x[:, 1]) + np.nan_to_num(x[:, 6])
    signal = (
        signal + np.isnan(x[:, 2]) + np.nan_to_num(x[:, 3] / 1e38) + np.nan_to_num(x[:, 4]) * 1e34
    )
    label = random.random(len(x)) < sigmoid(signal.astype(np.float64) - 2.5)
    settings = {
        "objective": "binary",
        "num_leaves": 12,
        "min_data_in_leaf": 10,
        "verbose": -1,
        "num_threads": 1,
        "seed": seed,
        "feature_fraction": 0.7,
        "deterministic": True,
        **changes,
    }
    data = lightgbm.Dataset(x, label.astype(np.float64), params={"verbose": -1})
    text: str = lightgbm.train(settings, data, 20).model_to_string()
    return text


def _linear(x: NDArray[np.float32]) -> Linear:
    double = x.astype(np.float64)
    return Linear(
        coef=np.linspace(-0.8, 0.9, x.shape[1]),
        intercept=-2.0,
        impute=np.nanmedian(double, axis=0),
        mean=np.nanmean(double, axis=0),
        scale=np.nanstd(double, axis=0) + 1e-12,
    )


@pytest.fixture(scope="session")
def fitted() -> Fitted:
    x = sample()
    outcomes = (
        FittedOutcome("upgrade", "lightgbm", 0.1, _booster(x, 1), calibration=Platt(0.9, 0.2)),
        FittedOutcome("downgrade", "logistic", 0.1, linear=_linear(x), calibration=Platt(1.1, -1)),
        FittedOutcome("churn", "lightgbm", 0.1, _booster(x, 2, use_missing=False)),
    )
    arms = (70, 85, 100, 115, 130)
    bundle = draft_bundle(
        Training(
            version="v1",
            created_us=1,
            as_of_us=1,
            features=COLUMNS,
            feature_hash="ab" * 16,
            factor_groups={"ordinary": COLUMNS[:3], "sizes": COLUMNS[3:6], "rest": COLUMNS[6:]},
            outcomes=outcomes,
            arms=arms,
            period_days=7,
            segments=("a",),
            effect_mean=np.zeros((2, 5, 3)),
            effect_sd=np.zeros((2, 5, 3)),
            effect_trust=np.zeros((2, 5), np.int64),
            sample=x,
        )
    )
    return Fitted(outcomes, x, bundle, Scorer(bundle))
