"""The training table: features as of each live decision, what was drawn, and what became of it.

>>> from training.dataset import build_dataset  # doctest: +SKIP
>>> dataset = build_dataset(connection, as_of_us)  # doctest: +SKIP
>>> dataset.rows.to_pandas()  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa

from flyball.arm import DEFAULT_GRID, NEUTRAL
from flyball.errors import InvalidInput
from flyball.instant import HOUR_US
from training.labels import label_units
from training.outcome import OUTCOMES, Outcome
from training.units import UnitCount, select_units

Floats = np.ndarray[Any, np.dtype[np.float64]]
Single = np.ndarray[Any, np.dtype[np.float32]]
Ints = np.ndarray[Any, np.dtype[np.int64]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]

#: How an arm came about that the learner may use (flyball.decision.Assignment).
ANALYSED = ("drawn", "holdout")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """One row per unit, sorted by start and tenant.

    ``rows`` holds ``unit_id, tenant_id, organisation, segment, plan, start_hour, arm, propensity,
    offered_<arm>, dose_<arm>, demand_period, base_limit, contract_limit,
    window_seconds, assignment, policy, mrr, outcome, outcome_28`` and the features.
    ``dose_<arm>`` is the blocked share expected under the arm minus that under 100 (NaN: unknown).
    ``kind`` is ``decisions`` or ``history``; ``dropped`` says why decisions are missing.
    """

    rows: pa.Table
    features: tuple[str, ...]
    arms: tuple[int, ...]
    period_days: int
    as_of_us: int
    kind: str
    dropped: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return int(self.rows.num_rows)

    def matrix(self) -> Single:
        """Features as float32 ``[n, F]`` in catalogue order, NaN where missing.

        Float32 already here: what is fitted is then exactly what serving will score.
        """
        return np.column_stack(
            [self._numbers(name).astype(np.float32) for name in self.features]
        ).reshape(len(self), len(self.features))

    def outcome(self, outcome: Outcome) -> Bools:
        """Whether ``outcome`` was the first thing to happen in the period, ``[n]``."""
        return np.asarray(self.codes() == int(outcome))

    def codes(self) -> Ints:
        """Outcome codes ``[n]``."""
        return np.asarray(self.rows["outcome"].to_numpy(), dtype=np.int64)

    def text(self, name: str) -> Sequence[str]:
        """A text column, "" where NULL."""
        return [value or "" for value in self.rows[name].to_pylist()]

    def groups(self, name: str) -> tuple[Ints, list[str]]:
        """A text column as codes ``[n]`` and its sorted vocabulary."""
        vocabulary, codes = np.unique(np.asarray(self.text(name), dtype=str), return_inverse=True)
        return codes.astype(np.int64), [str(word) for word in vocabulary]

    def start_hours(self) -> Ints:
        """Hours since the epoch at which each unit's period began, ``[n]``."""
        return np.asarray(self.rows["start_hour"].to_numpy(), dtype=np.int64)

    def arm(self) -> Ints:
        """Assigned arm in hundredths, ``[n]``."""
        return np.asarray(self.rows["arm"].to_numpy(), dtype=np.int64)

    def offered(self) -> Floats:
        """Logged propensity of each arm ``[n, A]``; a row of NaN where nothing was logged."""
        return np.column_stack([self._numbers(f"offered_{arm}") for arm in self.arms])

    def dose(self) -> Floats:
        """Expected dose of each arm ``[n, A]``, NaN where unknown."""
        return np.column_stack([self._numbers(f"dose_{arm}") for arm in self.arms])

    def assigned_dose(self) -> Floats:
        """Expected dose of the assigned arm ``[n]``; 0 where unknown or off the grid."""
        doses, arm = self.dose(), self.arm()
        chosen = np.zeros(len(self))
        for index, candidate in enumerate(self.arms):
            chosen = np.where(arm == candidate, doses[:, index], chosen)
        return np.nan_to_num(chosen)

    def demand(self) -> Floats:
        """Expected demand of one period ``[n]``, in the primary meter's unit; 0 where unknown."""
        if "demand_period" not in self.rows.column_names:
            return np.zeros(len(self))
        return np.nan_to_num(self._numbers("demand_period"))

    def analysed(self) -> Bools:
        """Rows whose arm was drawn with logged propensities, ``[n]``."""
        return np.isin(np.asarray(self.text("assignment"), dtype=str), ANALYSED)

    def take(self, mask: Bools) -> Dataset:
        """The rows where ``mask`` holds."""
        return replace(self, rows=self.rows.filter(pa.array(mask)))

    def events(self) -> dict[str, int]:
        """Outcome name -> number of units that ended with it."""
        return {outcome.name.lower(): int(self.outcome(outcome).sum()) for outcome in OUTCOMES}

    def month_rates(self) -> dict[str, float]:
        """Outcome name -> share of units whose first outcome within 28 days it was.

        For reporting: labels of weekly decisions overlap, so they teach nothing. Units whose 28
        days are not over do not count; empty without any.
        """
        known = self._numbers("outcome_28")
        known = known[np.isfinite(known)]
        if not len(known):
            return {}
        return {o.name.lower(): float((known == int(o)).mean()) for o in OUTCOMES}

    def _numbers(self, name: str) -> Floats:
        column = self.rows[name].cast(pa.float64()).fill_null(float("nan"))
        return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)


def build_dataset(
    connection: Any,
    as_of_us: int,
    *,
    period_days: int = 7,
    arms: Sequence[int] = DEFAULT_GRID,
    history_weeks: int = 52,
    compute: Callable[[Any], pa.Table] | None = None,
    features: Sequence[str] | None = None,
) -> Dataset:
    """Build the training table from what was known at ``as_of_us``.

    Parameters
    ----------
    connection:
        DuckDB connection that holds the relations of ``docs/reference/data-model.md``.
    as_of_us:
        Whole hour; nothing after it counts, and periods that are not over by then are left out.
    period_days:
        Length of a unit; decisions for other lengths are counted and left out.
    arms:
        The grid, in hundredths.
    history_weeks:
        Without any live decision: how many weeks of history become units at m = 1.
    compute, features:
        What turns ``spine`` into the feature table, and its feature columns; the catalogue's
        executor by default.

    Raises
    ------
    InvalidInput
        ``as_of_us`` is not a whole hour, or the grid has no 100.
    """
    if NEUTRAL not in arms:
        raise InvalidInput("The arm grid must contain 100.", field="arms", code="bad_arm")
    if compute is None or features is None:
        from features.catalogue import feature_names
        from features.executor import compute as catalogue_compute

        compute, features = catalogue_compute, feature_names()
    counted = select_units(
        connection, as_of_us, period_days=period_days, arms=arms, history_weeks=history_weeks
    )
    label_units(connection, as_of_us // HOUR_US, period_days=period_days)
    rows = _joined(connection, compute, tuple(features), tuple(arms))
    return _dataset(rows, counted, tuple(features), tuple(arms), period_days, as_of_us)


def _dataset(
    rows: pa.Table,
    counted: UnitCount,
    features: tuple[str, ...],
    arms: tuple[int, ...],
    period_days: int,
    as_of_us: int,
) -> Dataset:
    return Dataset(
        rows=rows,
        features=features,
        arms=arms,
        period_days=period_days,
        as_of_us=as_of_us,
        kind=counted.kind,
        dropped=counted.dropped,
    )


def _joined(
    connection: Any,
    compute: Callable[[Any], pa.Table],
    features: tuple[str, ...],
    arms: tuple[int, ...],
) -> pa.Table:
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE spine AS "
        "SELECT DISTINCT tenant_id, start_hour AS as_of_hour FROM unit"
    )
    table = compute(connection)
    connection.register("feature_row", table)
    quoted = ", ".join(f'feature_row."{name}"' for name in features)
    unit = ", ".join(
        f"unit.{name}"
        for name in ("unit_id", "tenant_id", "start_hour", "arm", "propensity", "assignment")
    )
    offered = ", ".join(f"unit.offered_{arm}" for arm in arms)
    try:
        table_sql = f"""
            SELECT {unit}, unit.policy AS deciding_policy, {offered},
                {_doses(arms, table.column_names)}, {_demand(table.column_names)},
                {_limits(table.column_names)},
                coalesce(feature_row.organisation, unit.tenant_id) AS organisation,
                coalesce(feature_row.segment, '') AS segment,
                coalesce(feature_row.plan, '') AS plan, feature_row.mrr AS mrr,
                unit_label.outcome, unit_label.outcome_28, {quoted}
            FROM unit
            JOIN unit_label USING (unit_id)
            JOIN feature_row ON feature_row.tenant_id = unit.tenant_id
                AND feature_row.as_of_hour = unit.start_hour
            ORDER BY unit.start_hour, unit.tenant_id, unit.unit_id
            """
        rows: pa.Table = connection.sql(table_sql).to_arrow_table()
        return rows
    finally:
        connection.unregister("feature_row")


def _demand(columns: Sequence[str]) -> str:
    """Demand expected in the period; NULL for a feature table that does not say."""
    column = "demand_period"
    name = f"feature_row.{column}" if column in columns else "CAST(NULL AS DOUBLE)"
    return f"{name} AS {column}"


def _limits(columns: Sequence[str]) -> str:
    """The primary meter's limit in force; NULL for a feature table that does not say."""
    names = ("base_limit", "contract_limit", "window_seconds")
    return ", ".join(
        f"feature_row.{name} AS {name}" if name in columns else f"CAST(NULL AS BIGINT) AS {name}"
        for name in names
    )


def _doses(arms: tuple[int, ...], columns: Sequence[str]) -> str:
    """Dose columns; NaN for arms that the feature table has no blocked share for."""
    known = set(columns)
    return ", ".join(
        f"feature_row.blocked_{arm} - feature_row.blocked_{NEUTRAL} AS dose_{arm}"
        if {f"blocked_{arm}", f"blocked_{NEUTRAL}"} <= known
        else f"CAST(NULL AS DOUBLE) AS dose_{arm}"
        for arm in arms
    )
