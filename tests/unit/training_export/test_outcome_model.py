"""What a fitted outcome may be, and the numbers it stands for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from flyball.errors import InvalidInput
from training.outcome_model import FittedOutcome, Linear, Platt, bounded_hazards, sigmoid

ONE = np.ones(2)


def _linear(**changes: Any) -> Linear:
    values: dict[str, Any] = {
        "coef": ONE, "intercept": 0.0, "impute": ONE, "mean": ONE, "scale": ONE, **changes
    }  # fmt: skip
    return Linear(**values)


def test_missing_values_are_imputed_and_sizes_are_bounded() -> None:
    rows = np.array([[np.nan, 3.0], [np.inf, -np.inf]], np.float32)
    assert _linear().standardise(rows).tolist() == [[0.0, 2.0], [8.0, -8.0]]
    assert _linear().log_odds(rows).tolist() == [2.0, 0.0]


def test_training_sees_the_float32_that_serving_sees() -> None:
    precise = np.array([[0.1 + 1e-12, 1.0]])
    standard = _linear(mean=np.zeros(2)).standardise(precise)
    assert standard[0, 0] == float(np.float32(0.1))


def test_without_a_model_everyone_has_the_base_rate() -> None:
    none = FittedOutcome("churn", "none", 0.02, calibration=Platt(5.0, 5.0))
    assert none.predict(np.zeros((3, 2))).tolist() == [0.02] * 3


def test_calibration_acts_on_the_log_odds() -> None:
    model = FittedOutcome("churn", "logistic", 0.1, linear=_linear(), calibration=Platt(2.0, -1.0))
    rows = np.array([[2.0, 2.0]], np.float32)
    assert model.predict(rows)[0] == pytest.approx(1 / (1 + np.exp(-(2.0 * 2.0 - 1.0))))


@pytest.mark.parametrize(
    "changes",
    [
        {"scale": np.array([1.0, 0.0])},
        {"coef": np.array([1.0, np.nan])},
        {"impute": np.ones(3)},
        {"intercept": np.inf},
    ],
    ids=["scale", "nan", "shape", "intercept"],
)
def test_a_linear_model_must_be_finite(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        _linear(**changes)


@pytest.mark.parametrize(
    "arguments",
    [
        ("won", "none", 0.1),
        ("churn", "none", 1.5),
        ("churn", "lightgbm", 0.1),
        ("churn", "logistic", 0.1),
        ("churn", "none", 0.1, "tree"),
    ],
)
def test_an_outcome_must_be_complete(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(InvalidInput):
        FittedOutcome(*arguments)


def test_a_calibration_must_be_finite() -> None:
    with pytest.raises(InvalidInput):
        Platt(np.nan, 0.0)


def test_the_sigmoid_is_safe_at_any_size() -> None:
    assert sigmoid(np.array([-np.inf, -745.0, 0.0, np.inf])).tolist()[2:] == [0.5, 1.0]


def test_competing_hazards_sum_to_one_at_most() -> None:
    bounded = bounded_hazards(np.array([[0.5, 0.5, 1.0], [0.1, 0.2, 0.3]]))
    assert bounded.tolist() == [[0.25, 0.25, 0.5], [0.1, 0.2, 0.3]]
