"""A dataset as of a time is what was known then: what comes later changes nothing."""

from __future__ import annotations

from functools import cache
from typing import Any

import duckdb
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from features.inputs import create_inputs
from training.dataset import build_dataset

MONDAY, WEEK, HOUR_US = 482_256, 168, 3_600_000_000
AS_OF = MONDAY + 4 * WEEK

hours = st.integers(MONDAY - WEEK, AS_OF + WEEK)
decisions = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(-1, 5), st.sampled_from([70, 85, 100])),
    max_size=12,
    unique_by=lambda row: row[:2],
)
happenings = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        hours,
        st.integers(0, 300),
        st.sampled_from(["upgraded", "downgraded", "churned", "started"]),
    ),
    max_size=12,
)


def features(connection: Any) -> pa.Table:
    return connection.sql(
        "SELECT tenant_id, as_of_hour, '' AS plan, '' AS segment, tenant_id AS organisation, "
        "CAST(NULL AS DOUBLE) AS mrr, 0.5 AS level FROM spine"
    ).to_arrow_table()


RELATIONS = ("usage_day", "account", "subscription", "decision")


@cache
def empty() -> Any:
    """One connection for all examples: opening one costs more than an example."""
    connection = duckdb.connect()
    create_inputs(connection, only=RELATIONS)
    return connection


def build(decided: list[Any], happened: list[Any]) -> pa.Table:
    connection = empty()
    for relation in RELATIONS:
        connection.execute(f"DELETE FROM {relation}")
    for tenant, week, arm in decided:
        start = MONDAY + week * WEEK
        connection.execute(
            "INSERT INTO decision VALUES (?, ?, ?, ?, 0.2, 7, 'live')", [tenant, start, start, arm]
        )
    for order, (tenant, hour, delay, kind) in enumerate(happened):
        connection.execute(
            "INSERT INTO subscription VALUES (?, ?, ?, ?, NULL, NULL, ?)",
            [tenant, hour, hour + delay, kind, order],
        )
    return build_dataset(connection, AS_OF * HOUR_US, compute=features, features=("level",)).rows


@settings(max_examples=30, deadline=None)
@given(decisions, happenings)
def test_forgetting_everything_learned_later_changes_nothing(
    decided: list[Any], happened: list[Any]
) -> None:
    known = [row for row in happened if row[1] + row[2] < AS_OF]
    early = [row for row in decided if MONDAY + row[1] * WEEK < AS_OF]
    if early or not decided:  # without any known decision, history takes over
        assert build(decided, happened).equals(build(early, known))


@settings(max_examples=30, deadline=None)
@given(decisions, happenings)
def test_units_are_whole_periods_of_living_tenants_with_one_label(
    decided: list[Any], happened: list[Any]
) -> None:
    rows = build(decided, happened)
    seen = set(zip(rows["tenant_id"].to_pylist(), rows["start_hour"].to_pylist(), strict=True))
    assert len(seen) == rows.num_rows
    for hour, outcome in zip(
        rows["start_hour"].to_pylist(), rows["outcome"].to_pylist(), strict=True
    ):
        assert hour + WEEK <= AS_OF
        assert outcome in {0, 1, 2, 3}
