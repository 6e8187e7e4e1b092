"""The SQL of bulk imports and the Python of live ingest hold rows to the same rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from flyball.errors import InvalidInput
from flyball.identity import check_identifier
from flyball.instant import format_instant, parse_instant
from flyball.meter import STANDARD_METERS, check_quantity
from telemetry.cloudevents import check_endpoint
from telemetry.event_source import check_source
from telemetry.usage_columns import checked_rows

NOW_US = parse_instant("2026-06-01T00:00:00Z")
_GOOD = {
    "id": "e1",
    "tenant_id": "ent_1",
    "time": "2026-01-05T13:00:00Z",
    "meter": "exports",
    "quantity": "1",
    "source": "gw",
    "endpoint": "/v1",
    "ingested_at": "2026-01-05T13:00:01Z",
}
_many = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def connection() -> Iterator[Any]:
    opened = duckdb.connect(config={"threads": 1})
    yield opened
    opened.close()


def checked(connection: Any, column: str, values: list[Any]) -> list[dict[str, Any]]:
    """Rows that differ from a good one only in ``column``, as the import judges them."""
    count = len(values)
    columns = {name: pa.array([good] * count, pa.string()) for name, good in _GOOD.items()}
    columns[column] = pa.array(values)
    table = pa.table({"line": pa.array(range(count), pa.int64()), **columns})
    connection.register("block", table)
    kinds = {
        row[0]: row[1] for row in connection.execute("DESCRIBE SELECT * FROM block").fetchall()
    }
    del kinds["line"]
    sql = checked_rows("block", kinds, STANDARD_METERS, now_us=NOW_US)
    rows: list[dict[str, Any]] = (
        connection.sql(f"SELECT * FROM ({sql}) ORDER BY line").to_arrow_table().to_pylist()
    )
    return rows


def passes(check: Callable[[], object]) -> bool:
    try:
        check()
    except InvalidInput:
        return False
    return True


def compare(connection: Any, column: str, values: list[str], rule: Callable[[str], object]) -> None:
    for value, row in zip(values, checked(connection, column, values), strict=True):
        assert (row["problem"] is None) == passes(partial(rule, value)), (value, row)


_text = st.text(st.characters(codec="utf-8"), max_size=140)
_nearly = st.text("abzAZ019_.:@|+=~-/ é\u202e\n", max_size=12)
_texts = st.lists(_text | _nearly, min_size=1, max_size=40)


@_many
@given(_texts)
@example(["a" * 128, "a" * 129, "..", "a..b", ".a", "a\n", "", "é"])
def test_identifiers(connection: Any, values: list[str]) -> None:
    compare(connection, "id", values, lambda value: check_identifier(value, field="id"))
    compare(connection, "tenant_id", values, lambda value: check_identifier(value, field="id"))


@_many
@given(_texts)
@example(["a" * 256, "a" * 257, "https://x/y?z=[1]&'*'", "a b"])
def test_sources(connection: Any, values: list[str]) -> None:
    named = [value for value in values if value]  # empty means: not given
    if named:
        compare(connection, "source", named, check_source)


@_many
@given(_texts)
@example(["x" * 256, "x" * 257, "a\u2028b", "a\u00adb", "tab\t"])
def test_endpoints(connection: Any, values: list[str]) -> None:
    # Of characters that Unicode has not assigned yet the two may think differently.
    known = [v for v in values if v.isprintable() or not _unassigned(v)]
    if known:
        compare(connection, "endpoint", known, check_endpoint)


def _unassigned(value: str) -> bool:
    import unicodedata

    return any(unicodedata.category(c) in {"Cn", "Co", "Zs"} and c != " " for c in value)


_dates = st.datetimes().map(lambda moment: moment.isoformat())
_zones = st.sampled_from(["Z", "z", "+00:00", "-23:59", "+05:30", "", "+5", "+0530", " Z"])
_instants = st.builds(
    lambda date, mark, zone: date.replace("T", mark) + zone,
    _dates,
    st.sampled_from(["T", "t", " ", "_"]),
    _zones,
)


@_many
@given(st.lists(_instants | _nearly, min_size=1, max_size=40))
@example(
    [
        "2026-01-05T24:00:00Z",
        "2026-01-05T23:59:60Z",
        "2026-02-30T00:00:00Z",
        "2026-01-05T00:00:00.1234567891Z",
        "1989-12-31T23:59:59Z",
        "1990-01-01T00:00:00Z",
        "2026-01-05T00:00:00.123456789-23:00",
        "infinity",
        "1767571200",
        "2026-01-05",
    ]
)
def test_times(connection: Any, values: list[str]) -> None:
    for value, row in zip(values, checked(connection, "time", values), strict=True):
        try:
            expected = parse_instant(value)
        except InvalidInput:
            assert row["problem"] == "bad_time/time", value
            continue
        if expected > NOW_US + 3_600_000_000:
            assert row["problem"] == "future_time/time", value
        else:
            assert row["time_us"] == expected, value
            assert row["arrived_us"] >= expected


@_many
@given(st.lists(st.integers(631_152_000_000_000, NOW_US), min_size=1, max_size=40))
def test_times_survive_writing_and_reading(connection: Any, instants: list[int]) -> None:
    rows = checked(connection, "time", [format_instant(instant) for instant in instants])
    assert [row["time_us"] for row in rows] == instants


@_many
@given(st.lists(st.floats(), min_size=1, max_size=60))
@example([0.0, -0.0, 1e15, 1.0000000000000002e15, float("nan"), float("inf"), 5e-324])
def test_quantities(connection: Any, values: list[float]) -> None:
    for given_as in (values, [repr(value) for value in values]):
        for value, row in zip(values, checked(connection, "quantity", given_as), strict=True):
            if passes(partial(check_quantity, value)):
                assert row["problem"] is None
                assert row["quantity"] == value
            else:
                assert row["problem"] == "bad_quantity/quantity"


@_many
@given(st.lists(_nearly, min_size=1, max_size=40))
@example(["1_000", "0x10", " 7 ", "1e5", "1e400", ".5", "5.", "+3", "--3", "1,5", "٣", "9" * 65])
def test_text_that_is_no_number_is_no_quantity(connection: Any, values: list[str]) -> None:
    for value, row in zip(values, checked(connection, "quantity", values), strict=True):
        if row["problem"] is None:
            assert row["quantity"] == float(value)
            assert value.isascii()
            assert "_" not in value
