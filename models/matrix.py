"""From the feature table to what the graphs take: a float32 matrix in the manifest's order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from flyball.arm import NEUTRAL
from flyball.errors import InvalidInput
from models.manifest import Manifest
from models.scorer import Float32, Int64


@dataclass(frozen=True, slots=True)
class Inputs:
    """Scorer inputs of n tenants, in the order of the table they came from.

    ``x`` float32 [n, F], ``segment`` int64 [n], ``dose`` float32 [n, A].
    """

    x: Float32
    segment: Int64
    dose: Float32


def inputs_of(table: pa.Table, manifest: Manifest) -> Inputs:
    """Everything a scorer needs from a feature table (see ``docs/reference/data-model.md``).

    Raises
    ------
    InvalidInput
        If a feature, or the column ``segment``, is missing or not of a usable type.
    """
    return Inputs(
        x=matrix_of(table, manifest.features),
        segment=segments_of(table, manifest.segments),
        dose=dose_of(table, manifest.arms),
    )


def matrix_of(table: pa.Table, features: Sequence[str]) -> Float32:
    """float32 [n, F]: the named columns in that order, NaN for null.

    Numbers beyond float32's range become infinite, which every graph accepts.
    """
    matrix = np.empty((table.num_rows, len(features)), dtype=np.float32)
    with np.errstate(over="ignore"):
        for position, name in enumerate(features):
            matrix[:, position] = _numbers(table, name)
    return matrix


def segments_of(table: pa.Table, segments: Sequence[str]) -> Int64:
    """int64 [n]: position of each row's ``segment``; ``len(segments)`` for unknown and null."""
    column = _column(table, "segment")
    found = pc.index_in(column.cast(pa.string()), value_set=pa.array(segments, pa.string()))
    return np.asarray(pc.fill_null(found, len(segments)).to_numpy(), dtype=np.int64)


def dose_of(table: pa.Table, arms: Sequence[int]) -> Float32:
    """float32 [n, A]: ``blocked_<arm>`` minus ``blocked_100``; NaN where either is unknown.

    0 under the neutral arm by definition; NaN for an arm that the table has no column for.
    """
    dose = np.full((table.num_rows, len(arms)), np.nan, dtype=np.float32)
    neutral = f"blocked_{NEUTRAL}"
    known = neutral in table.column_names
    for position, arm in enumerate(arms):
        name = f"blocked_{arm}"
        if arm == NEUTRAL:
            dose[:, position] = 0.0
        elif known and name in table.column_names:
            dose[:, position] = _numbers(table, name) - _numbers(table, neutral)
    return dose


def _column(table: pa.Table, name: str) -> Any:
    if name not in table.column_names:
        raise InvalidInput(
            f"The feature table has no column {name}.",
            "It was built by another version: build it again, or train again.",
            field=name,
        )
    return table.column(name)


def _numbers(table: pa.Table, name: str) -> NDArray[np.float64]:
    column = _column(table, name)
    kind = column.type
    if not (pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind)):
        raise InvalidInput(f"Feature {name} is {kind}, not a number.", field=name)
    # Null becomes NaN in the conversion.
    return np.asarray(column.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)
