"""Units of the training table become rows of a log."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from flyball.errors import InvalidInput
from training.dataset import Dataset
from training.off_policy.unit_rows import logged_units, usable_units


def dataset(assignment: list[str], offered_85: list[float | None]) -> Dataset:
    rows = len(assignment)
    other = [None if p is None else 1.0 - p for p in offered_85]
    table = pa.table(
        {
            "assignment": assignment,
            "arm": [85, 100, 85, 100][:rows],
            "organisation": ["b", "a", "a", "c"][:rows],
            "offered_85": pa.array(offered_85, pa.float64()),
            "offered_100": pa.array(other, pa.float64()),
            "outcome": [0, 3, 1, 0][:rows],
        }
    )
    return Dataset(
        rows=table, features=(), arms=(85, 100), period_days=7, as_of_us=0, kind="decisions"
    )


def test_only_rows_with_logged_probabilities_are_used() -> None:
    units = dataset(["drawn", "holdout", "drawn", "policy"], [0.5, 0.0, None, 0.5])
    assert usable_units(units).tolist() == [True, True, False, False]
    log = logged_units(units, np.asarray([1.0, 2.0, 3.0, 4.0]), np.ones((4, 2)))
    assert log.reward.tolist() == [1.0, 2.0]
    assert log.arm.tolist() == [0, 1]
    assert log.offered.tolist() == [[0.5, 0.5], [0.0, 1.0]]
    assert log.cluster.tolist() == [1, 0]
    assert log.events.tolist() == [False, True]
    assert log.stratum is not None
    assert log.stratum.tolist() == [0, 1]
    assert log.predicted is not None
    assert log.predicted.shape == (2, 2)


def test_without_a_drawn_unit_the_error_says_what_to_do() -> None:
    with pytest.raises(InvalidInput, match="exploration"):
        logged_units(dataset(["static"], [0.5]), np.ones(1))
