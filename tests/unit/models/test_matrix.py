"""The feature table becomes what the graphs take."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from flyball.errors import InvalidInput
from models.bundle import Bundle
from models.matrix import dose_of, inputs_of, matrix_of, segments_of


def _table() -> pa.Table:
    return pa.table(
        {
            "tenant_id": ["a", "b", "c"],
            "segment": ["startup", None, "elsewhere"],
            "tenure": pa.array([1, None, 3], pa.int64()),
            "logins": pa.array([0.5, 1e300, None], pa.float64()),
            "slope": pa.array([True, False, None]),
            "share_mean": pa.array([1.0, -1e300, float("inf")], pa.float32()),
            "blocked_70": pa.array([0.3, None, 0.1], pa.float64()),
            "blocked_100": pa.array([0.1, 0.2, None], pa.float64()),
        }
    )


def test_columns_come_in_the_manifests_order_with_nan_for_null(draft: Bundle) -> None:
    inputs = inputs_of(_table(), draft.manifest)
    assert inputs.x.dtype == np.float32
    assert inputs.x[0].tolist() == [1.0, 1.0, 0.5, 1.0]
    assert np.isnan(inputs.x[1, 3])
    assert np.isnan(inputs.x[2, 1])


def test_numbers_beyond_float32_become_infinite(draft: Bundle) -> None:
    x = matrix_of(_table(), draft.manifest.features)
    assert x[1].tolist()[:3] == [-np.inf, 0.0, np.inf]


def test_unknown_and_missing_segments_are_the_last_index() -> None:
    assert segments_of(_table(), ("enterprise", "startup")).tolist() == [1, 2, 2]
    assert segments_of(_table(), ()).tolist() == [0, 0, 0]


def test_dose_is_the_difference_to_the_neutral_arm_and_unknown_stays_unknown() -> None:
    dose = dose_of(_table(), (70, 85, 100))
    assert dose[0, 0] == pytest.approx(0.2)
    assert np.isnan(dose[1:, 0]).all()
    assert np.isnan(dose[:, 1]).all()
    assert not dose[:, 2].any()


def test_dose_without_any_blocked_column_is_unknown() -> None:
    dose = dose_of(_table().select(["tenant_id"]), (70, 100))
    assert np.isnan(dose[:, 0]).all()


def test_a_dictionary_encoded_segment_is_read() -> None:
    table = pa.table({"segment": pa.array(["b", "a"]).dictionary_encode()})
    assert segments_of(table, ("a", "b")).tolist() == [1, 0]


def test_a_missing_feature_is_named() -> None:
    with pytest.raises(InvalidInput, match="no column seats"):
        matrix_of(_table(), ("tenure", "seats"))


def test_text_is_not_a_feature() -> None:
    with pytest.raises(InvalidInput, match="not a number"):
        matrix_of(_table(), ("tenant_id",))


def test_chunked_and_empty_tables_work() -> None:
    table = pa.concat_tables([_table(), _table()])
    assert matrix_of(table, ("tenure",)).shape == (6, 1)
    assert matrix_of(table.slice(0, 0), ("tenure",)).shape == (0, 1)
