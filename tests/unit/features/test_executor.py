"""The executor's table: shape, order, missing values, and what it refuses."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import duckdb
import pyarrow as pa
import pytest

from features import checks, executor
from features.catalogue import catalogue, context_names, feature_names, feature_sql
from features.executor import columns, compute
from features.histories import History, append, random_history
from features.inputs import create_inputs
from flyball.errors import InvalidInput


def test_one_sorted_row_per_row_of_the_spine() -> None:
    history = random_history(3)
    spine = [(tenant, history.end_hour - 24 * k) for k in (0, 3) for tenant in history.tenants]
    table = checks.table_of(history, [*spine, ("nobody", history.end_hour)])
    keys = list(zip(table["tenant_id"].to_pylist(), table["as_of_hour"].to_pylist(), strict=True))
    assert keys == sorted([*spine, ("nobody", history.end_hour)])
    assert tuple(table.schema.names) == columns()


def test_features_are_finite_doubles() -> None:
    history = random_history(4)
    table = checks.table_of(history, [(tenant, history.end_hour - 5) for tenant in history.tenants])
    for name in feature_names():
        assert table.schema.field(name).type == pa.float64(), name
        values = [value for value in table[name].to_pylist() if value is not None]
        assert all(math.isfinite(value) for value in values), name
    kinds = {each.name: each.type for each in catalogue().context}
    types = {"VARCHAR": pa.string(), "BIGINT": pa.int64(), "DOUBLE": pa.float64()}
    for name in context_names():
        expected = types.get(kinds[name], pa.bool_())
        assert table.schema.field(name).type == expected, name


def test_every_feature_has_a_value_somewhere_and_varies() -> None:
    history = random_history(5, tenants=24)
    table = checks.table_of(history, [(tenant, history.end_hour - 5) for tenant in history.tenants])
    for name in feature_names():
        assert len(set(table[name].drop_null().to_pylist())) > 1, name


@pytest.mark.parametrize("seed", range(3))
def test_features_are_missing_only_where_their_null_rule_allows(seed: int) -> None:
    history = random_history(seed)
    spine = [(tenant, history.first_hour + 24 * k) for k in (1, 20) for tenant in history.tenants]
    table = checks.table_of(history, [*spine, ("nobody", history.first_hour)])
    for each in catalogue().features:
        if each.null == "never":
            assert table[each.name].null_count == 0, each.name


def test_every_null_rule_is_real() -> None:
    table = checks.table_of(random_history(1), [("nobody", 19_000 * 24)])
    for each in catalogue().features:
        assert (table[each.name].null_count == 1) == (each.null != "never"), each.name


def test_an_empty_spine_gives_an_empty_table() -> None:
    with duckdb.connect() as connection:
        create_inputs(connection)
        table = compute(connection)
    assert table.num_rows == 0
    assert tuple(table.schema.names) == columns()


@pytest.mark.parametrize("rows", [[("a", 5), ("a", 5)], [(None, 5)], [("a", None)]])
def test_a_spine_with_repeated_or_missing_keys_is_refused(
    rows: list[tuple[str | None, int | None]],
) -> None:
    with duckdb.connect() as connection:
        create_inputs(connection)
        append(connection, "spine", [tuple(row) for row in rows])
        with pytest.raises(InvalidInput, match="spine"):
            compute(connection)


def test_the_connection_is_left_as_it_was() -> None:
    with duckdb.connect() as connection:
        create_inputs(connection)
        before = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
        compute(connection)
        assert connection.execute("SELECT table_name FROM duckdb_tables()").fetchall() == before


@pytest.mark.parametrize("check", [checks.check_poison, checks.check_truncation])
@pytest.mark.parametrize(
    "forgotten",
    [
        r'"t\d+"\."arrival_day" < "t\d+"\."as_of_day"',
        r'"t\d+"\."arrival_hour" < "t\d+"\."as_of_hour"',
        r'"t\d+"\."known_hour" < "t\d+"\."as_of_hour"',
    ],
)
def test_the_checks_notice_a_definition_that_forgets_when_things_became_known(
    forgotten: str, check: Callable[[History, int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    history = random_history(7)
    # Just before a ticket of the past becomes known.
    hour = max(known for _, opened, known, *_ in history.rows["ticket"] if opened < known)
    leaky, places = re.subn(forgotten, "TRUE", feature_sql())
    leaky = leaky.replace("$last_day", "99999")
    assert places > 0
    monkeypatch.setattr(executor, "feature_sql", lambda: leaky)
    with pytest.raises(AssertionError, match="changed"):
        check(history, hour)
