"""The one executor: runs the compiled SQL on DuckDB, for training tables and live refresh alike."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from features.catalogue import context_names, feature_names, feature_sql
from flyball.errors import InvalidInput

_RESULT = "flyball_feature_table"


def compute(connection: Any) -> pa.Table:
    """Compute the feature table for the rows of ``spine``.

    Parameters
    ----------
    connection:
        A DuckDB connection that holds the relations of ``features.inputs``, among them ``spine``
        (``tenant_id``, ``as_of_hour`` in hours since 1970; no duplicates).

    Returns
    -------
    pyarrow.Table
        One row per row of ``spine``, sorted by tenant and as-of hour: ``tenant_id``,
        ``as_of_hour``, the context columns, then the features as float64, NULL where missing. A
        tenant unknown at its as-of time has a row with no plan.

    Raises
    ------
    InvalidInput
        The spine repeats a row or holds NULL.
    """
    first, last = _span(connection)
    # Whole numbers go into the text, not into parameters: scans then skip what lies outside.
    sql = feature_sql().replace("$first_day", str(first)).replace("$last_day", str(last))
    # A temporary table costs one planning and one copy; a lazy relation would plan the text twice.
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {_RESULT} AS {sql}")
    try:
        table: pa.Table = connection.table(_RESULT).to_arrow_table()
        return table
    finally:
        connection.execute(f"DROP TABLE {_RESULT}")


def _span(connection: Any) -> tuple[int, int]:
    """Days of the earliest and latest as-of hours; checks the spine."""
    found = connection.execute(
        "SELECT min(as_of_hour), max(as_of_hour), count(*), count(tenant_id), count(as_of_hour),"
        " count(DISTINCT (tenant_id, as_of_hour)) FROM spine"
    ).fetchall()
    earliest, latest, rows, tenants, hours, distinct = found[0]
    if rows == 0:
        return 0, 0
    if not rows == tenants == hours == distinct:
        raise InvalidInput(
            "The spine repeats a row or holds NULL.",
            "Give each tenant and as-of hour once.",
            field="spine",
        )
    return int(earliest) // 24, int(latest) // 24


def columns() -> tuple[str, ...]:
    """Column names of the feature table, in order."""
    return ("tenant_id", "as_of_hour", *context_names(), *feature_names())
