from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from flyball.instant import HOUR_US
from flyball.meter import STANDARD_METERS, Meter
from flyball.usage import UsageEvent
from telemetry.tile_columns import BINS, DAY_COLUMNS, HOUR_COLUMNS, column_type
from telemetry.tile_fold import fold
from telemetry.tile_manifest import RAW_SCHEMA

from .conftest import MONDAY_US, EventMaker, LimitMaker

HOUR = MONDAY_US // HOUR_US
Rows = list[dict[str, Any]]


@pytest.fixture
def connection() -> Iterator[Any]:
    opened = duckdb.connect()
    yield opened
    opened.close()


def folded(
    connection: Any, events: list[UsageEvent], limits: Any, meters: Mapping[str, Meter]
) -> dict[str, Rows]:
    raw = pa.Table.from_pylist(
        [{name: getattr(event, name) for name in RAW_SCHEMA.names} for event in events],
        schema=RAW_SCHEMA,
    )
    tiles = fold(raw, limits, meters)
    for relation in ("hour", "day"):
        connection.register(f"{relation}_tile", tiles.table(relation))
    return {
        relation: connection.sql(
            f"SELECT * FROM {relation}_tile ORDER BY tenant_id, meter, event_{relation},"
            f" arrival_{relation}"
        )
        .to_arrow_table()
        .to_pylist()
        for relation in ("hour", "day")
    }


def requests(**changes: Any) -> dict[str, Meter]:
    changed = replace(STANDARD_METERS["api.requests"], **changes)
    return {**STANDARD_METERS, "api.requests": changed}


def bins(row: Mapping[str, Any], kind: str = "count") -> list[Any]:
    return [row[f"share_{kind}_{i}"] for i in range(BINS)]


def test_columns_and_types_are_those_of_the_data_model(
    connection: Any, event: EventMaker, limits: LimitMaker
) -> None:
    folded(connection, [event("a")], limits(("ent_1", "api.requests", 0, 10, 60)), requests())
    for relation, columns in (("hour", HOUR_COLUMNS), ("day", DAY_COLUMNS)):
        described = dict(
            row[:2] for row in connection.execute(f"DESCRIBE {relation}_tile").fetchall()
        )
        assert set(described) == set(columns)
        assert {name: column_type(name) for name in columns} == described


def test_an_hour_is_a_row_per_arrival_hour(
    connection: Any, event: EventMaker, limits: LimitMaker
) -> None:
    events = [
        event("a", at=0, quantity=2.0),
        event("b", at=1800, quantity=5.0),
        event("late", at=1800, late=7200, quantity=1.0),
    ]
    tiles = folded(connection, events, limits(), requests())
    first, late = tiles["hour"]
    assert (first["event_hour"], first["arrival_hour"]) == (HOUR, HOUR)
    assert (late["event_hour"], late["arrival_hour"]) == (HOUR, HOUR + 2)
    assert (first["event_count"], first["quantity_sum"], first["quantity_max"]) == (2, 7.0, 5.0)
    assert (first["last_at_us"], first["last_value"]) == (MONDAY_US + 1800 * 10**6, 5.0)
    assert first["hour_peak"] == 7.0
    assert first["active_hours"] == 1
    (day,) = tiles["day"]
    assert (day["event_count"], day["quantity_sum"], day["active_hours"]) == (3, 8.0, 1)
    assert day["hour_peak"] == 7.0


def test_the_most_recent_event_wins_and_ties_go_to_the_larger(
    connection: Any, event: EventMaker, limits: LimitMaker
) -> None:
    events = [
        event("a", at=10, quantity=9.0, meter="storage.bytes"),
        event("b", at=20, quantity=3.0, meter="storage.bytes"),
        event("c", at=20, quantity=4.0, meter="storage.bytes"),
    ]
    for order in (events, events[::-1]):
        tiles = folded(connection, order, limits(), requests())
        assert tiles["hour"][0]["last_value"] == 4.0
        assert tiles["day"][0]["last_value"] == 4.0


def test_an_arrival_before_its_event_counts_with_the_event(
    connection: Any, event: EventMaker, limits: LimitMaker
) -> None:
    tiles = folded(connection, [event("a", late=-7200)], limits(), requests())
    assert tiles["hour"][0]["arrival_hour"] == HOUR


def test_minute_windows_are_shares_of_the_limit(
    connection: Any, event: EventMaker, limits: LimitMaker
) -> None:
    events = [event(f"a{i}", at=i, quantity=1.0) for i in range(7)]  # 7 in the first minute
    events += [event("b", at=60, quantity=10.0), event("c", at=120, quantity=25.0)]
    tiles = folded(connection, events, limits(("ent_1", "api.requests", 0, 10, 60)), requests())
    for relation in ("hour", "day"):
        (row,) = tiles[relation]
        assert row["window_count"] == 3
        assert bins(row) == [0, 1, 0, 1, 0, 0, 0, 1]  # edges belong to the bin above
        assert row["share_sum"] == pytest.approx(0.7 + 1.0 + 2.5, abs=1e-5)
        assert bins(row, "sum")[7] == 2.5
        assert row["share_peak"] == 2.5
        assert row["coarse_count"] == 0


def test_an_hourly_limit_has_the_hour_as_its_window(
    connection: Any, event: EventMaker, limits: LimitMaker
) -> None:
    events = [event("a", quantity=60.0), event("b", at=1800, quantity=70.0)]
    rows = limits(("ent_1", "api.requests", 0, 100, 3600))
    (row,) = folded(connection, events, rows, requests())["hour"]
    assert (row["window_count"], row["share_peak"]) == (1, 1.3)
    assert bins(row) == [0, 0, 0, 0, 0, 1, 0, 0]


@pytest.mark.parametrize("window", [86_400, 30 * 86_400])
def test_limits_per_day_or_month_have_no_windows(
    connection: Any, event: EventMaker, limits: LimitMaker, window: int
) -> None:
    rows = limits(("ent_1", "api.requests", 0, 100, window))
    tiles = folded(connection, [event("a", quantity=60.0)], rows, requests())
    assert tiles["hour"][0]["window_count"] == tiles["day"][0]["window_count"] == 0


def test_only_the_primary_meter_has_windows(
    connection: Any, event: EventMaker, limits: LimitMaker
) -> None:
    rows = limits(("ent_1", "api.requests", 0, 100, 3600))
    tiles = folded(connection, [event("a", meter="exports")], rows, requests())
    assert tiles["hour"][0]["window_count"] == tiles["day"][0]["window_count"] == 0
    assert tiles["day"][0]["share_peak"] == 0.0


def test_the_limit_in_force_changes_with_the_hour(
    connection: Any, event: EventMaker, limits: LimitMaker
) -> None:
    rows = limits(
        ("ent_1", "api.requests", HOUR, 10, 3600),
        ("ent_1", "api.requests", HOUR + 1, 20, 60),
        ("ent_1", "exports", HOUR + 2, 5, 3600),
    )
    events = [event(f"{h}", at=h * 3600, quantity=10.0) for h in range(-1, 4)]
    events.append(event("x", at=2 * 3600, quantity=10.0, meter="exports"))
    tiles = folded(connection, events, rows, requests())
    peaks = {(r["meter"], r["event_hour"] - HOUR): r["share_peak"] for r in tiles["hour"]}
    assert peaks == {
        ("api.requests", -1): 0.0,
        ("api.requests", 0): 1.0,
        ("api.requests", 1): 0.5,
        ("api.requests", 2): 0.0,
        ("api.requests", 3): 0.0,
        ("exports", 2): 2.0,
    }
    day = next(r for r in tiles["day"] if r["meter"] == "api.requests" and r["window_count"])
    assert (day["window_count"], bins(day)) == (2, [1, 0, 0, 1, 0, 0, 0, 0])


def test_blocked_requests_are_demand_where_the_source_counts_accepted(
    connection: Any, event: EventMaker, limits: LimitMaker
) -> None:
    events = [event("a", quantity=90.0), event("b", quantity=30.0, meter="api.blocked")]
    rows = limits(("ent_1", "api.requests", 0, 100, 3600))
    counted = folded(connection, events, rows, requests(counts="accepted"))["hour"]
    by_meter = {row["meter"]: row for row in counted}
    assert by_meter["api.requests"]["quantity_sum"] == 120.0
    assert by_meter["api.requests"]["share_peak"] == 1.2
    assert by_meter["api.blocked"]["quantity_sum"] == 30.0
    asked = folded(connection, events, rows, requests())["hour"]
    assert {r["meter"]: r["quantity_sum"] for r in asked}["api.requests"] == 90.0


def test_blocked_requests_alone_are_demand_too(
    connection: Any, event: EventMaker, limits: LimitMaker
) -> None:
    rows = limits(("ent_1", "api.requests", 0, 100, 3600))
    events = [event("b", quantity=30.0, meter="api.blocked")]
    tiles = folded(connection, events, rows, requests(counts="accepted"))
    assert {r["meter"] for r in tiles["hour"]} == {"api.blocked", "api.requests"}


def test_zero_demand_is_no_window(connection: Any, event: EventMaker, limits: LimitMaker) -> None:
    for window in (60, 3600):
        rows = limits(("ent_1", "api.requests", 0, 100, window))
        (row,) = folded(connection, [event("a", quantity=0.0)], rows, requests())["hour"]
        assert (row["window_count"], row["event_count"]) == (0, 1)


def coarse(
    connection: Any,
    events: list[UsageEvent],
    limits: LimitMaker,
    window: int = 60,
    resolution: int = 3600,
) -> dict[str, Any]:
    rows = limits(("ent_1", "api.requests", 0, 10, window))
    tiles = folded(connection, events, rows, requests(resolution_seconds=resolution))
    return next(row for row in tiles["hour"] if row["meter"] == "api.requests")


def test_coarse_totals_are_estimated_and_marked_never_nothing(
    connection: Any, event: EventMaker, limits: LimitMaker
) -> None:
    row = coarse(connection, [event("a", quantity=600.0)], limits)  # mean share 1.0, peak unknown
    assert row["window_count"] == row["coarse_count"] == sum(bins(row)) == 60
    assert row["share_sum"] == pytest.approx(60.0, abs=1e-4)
    assert row["share_peak"] == 2.0
    assert bins(row)[0] == 21  # shares rise evenly from 0 to 2: 35 % of 60 lie below 0.7
    assert sum(bins(row)[3:]) == 30


def test_a_known_peak_shapes_the_estimate(
    connection: Any, event: EventMaker, limits: LimitMaker
) -> None:
    peak = event("p", quantity=12.0, meter="api.requests.peak")
    row = coarse(connection, [event("a", quantity=600.0), peak], limits)
    assert row["share_peak"] == 1.2
    assert bins(row)[0] == 0  # shares lie within 0.8 .. 1.2
    assert row["share_sum"] == pytest.approx(60.0, abs=1e-4)


def test_a_peak_far_above_the_mean_means_that_most_windows_are_idle(
    connection: Any, event: EventMaker, limits: LimitMaker
) -> None:
    peak = event("p", quantity=100.0, meter="api.requests.peak")
    row = coarse(connection, [event("a", quantity=600.0), peak], limits)
    assert row["share_peak"] == 10.0
    assert row["window_count"] == row["coarse_count"] == 12
    assert row["share_sum"] == pytest.approx(60.0, abs=1e-4)


def test_daily_totals_under_an_hourly_limit_are_estimated_by_hours(
    connection: Any, event: EventMaker, limits: LimitMaker
) -> None:
    row = coarse(connection, [event("a", quantity=240.0)], limits, window=3600, resolution=86_400)
    assert row["window_count"] == 24
    assert row["share_sum"] == pytest.approx(24.0, abs=1e-4)


def test_absurd_quantities_stay_finite(
    connection: Any, event: EventMaker, limits: LimitMaker
) -> None:
    events = [event("a", quantity=1e15), event("b", quantity=1e15)]
    for window, resolution in ((60, 1), (3600, 1), (60, 3600)):
        rows = limits(("ent_1", "api.requests", 0, 1, window))
        tiles = folded(connection, events, rows, requests(resolution_seconds=resolution))
        (row,) = tiles["hour"]
        assert row["quantity_sum"] == 2e15
        assert 0 < row["share_sum"] < 1e9
        assert tiles["day"][0]["quantity_sum"] == 2e15
