"""Laws of the fold, held against a plain Python one."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.instant import HOUR_US
from flyball.meter import STANDARD_METERS
from telemetry.tile_columns import BINS, EDGES, MAX_SHARE
from telemetry.tile_fold import LIMIT_SCHEMA, fold
from telemetry.tile_manifest import RAW_SCHEMA

MONDAY_US = 1_767_571_200_000_000
HOUR = MONDAY_US // HOUR_US
BASE = 10
_laws = settings(
    max_examples=60,
    deadline=None,
)

_events = st.lists(
    st.fixed_dictionaries(
        {
            "tenant_id": st.sampled_from(["a", "b"]),
            "meter": st.sampled_from(["api.requests", "api.blocked", "storage.bytes"]),
            "time_us": st.integers(0, 3 * 3600 // 20).map(lambda n: MONDAY_US + n * 20_000_000),
            "late_s": st.sampled_from([0, 0, 0, 1, 4_000, 90_000]),
            "quantity": st.integers(0, 40).map(lambda n: n / 4)
            | st.floats(0, 1e6, allow_subnormal=False),
        }
    ),
    max_size=60,
)


def run(
    events: list[dict[str, Any]],
    window: int,
    *,
    counts: str = "demand",
    resolution: int = 1,
) -> dict[str, list[dict[str, Any]]]:
    rows = [{**e, "arrived_us": e["time_us"] + e["late_s"] * 10**6} for e in events]
    raw = pa.Table.from_pylist(
        [{name: row[name] for name in RAW_SCHEMA.names} for row in rows], schema=RAW_SCHEMA
    )
    limits = pa.Table.from_pylist(
        [
            dict(zip(LIMIT_SCHEMA.names, ("a", "api.requests", 0, BASE, window), strict=True)),
            dict(zip(LIMIT_SCHEMA.names, ("b", "api.requests", HOUR, 2, window), strict=True)),
            dict(zip(LIMIT_SCHEMA.names, ("b", "api.requests", HOUR + 1, 7, window), strict=True)),
        ],
        schema=LIMIT_SCHEMA,
    )
    meter = replace(STANDARD_METERS["api.requests"], counts=counts, resolution_seconds=resolution)
    meters = {**STANDARD_METERS, "api.requests": meter}
    folded = fold(raw, limits, meters)
    return {name: folded.table(name).to_pylist() for name in ("hour", "day")}


def limit_at(tenant: str, hour: int) -> int | None:
    if tenant == "a":
        return BASE
    return None if hour < HOUR else (2 if hour == HOUR else 7)


def expected(
    events: list[dict[str, Any]], window: int, counts: str
) -> dict[tuple[Any, ...], dict[str, Any]]:
    seen = list(events)
    if counts == "accepted":
        seen += [
            {**e, "meter": "api.requests"}
            for e in events
            if e["meter"] == "api.blocked" and limit_at(e["tenant_id"], e["time_us"] // HOUR_US)
        ]
    tiles: dict[tuple[Any, ...], dict[str, Any]] = {}
    windows: dict[tuple[Any, ...], dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for e in seen:
        hour = e["time_us"] // HOUR_US
        key = (e["tenant_id"], e["meter"], hour, (e["time_us"] + e["late_s"] * 10**6) // HOUR_US)
        steps = round(e["quantity"] * 1024)
        tile = tiles.setdefault(key, {"n": 0, "steps": 0, "last": (0, 0)})
        tile["n"] += 1
        tile["steps"] += steps
        tile["last"] = max(tile["last"], (e["time_us"], steps))
        if e["meter"] == "api.requests" and limit_at(e["tenant_id"], hour):
            windows[key][e["time_us"] // (window * 10**6)] += steps
    for key, tile in tiles.items():
        base = limit_at(key[0], key[2]) or 1
        shares = [min(s / 1024 / base, MAX_SHARE) for s in windows[key].values() if s > 0]
        tile["counts"] = [0] * BINS
        for share in shares:
            tile["counts"][sum(share >= edge for edge in EDGES)] += 1
        tile["share_sum"] = sum(shares)
        tile["peak"] = max(shares, default=0.0)
    return tiles


@pytest.mark.parametrize("counts", ["demand", "accepted"])
@pytest.mark.parametrize("window", [60, 3600])
@_laws
@given(events=_events)
def test_the_fold_is_what_a_plain_loop_says(
    events: list[dict[str, Any]], window: int, counts: str
) -> None:
    tiles = run(events, window, counts=counts)["hour"]
    wanted = expected(events, window, counts)
    assert len(tiles) == len(wanted)
    for row in tiles:
        key = (row["tenant_id"], row["meter"], row["event_hour"], row["arrival_hour"])
        want = wanted[key]
        assert row["event_count"] == want["n"]
        assert row["quantity_sum"] == want["steps"] / 1024
        assert (row["last_at_us"], row["last_value"] * 1024) == want["last"]
        assert [row[f"share_count_{i}"] for i in range(BINS)] == want["counts"]
        assert row["window_count"] == sum(want["counts"])
        assert math.isclose(row["share_sum"], want["share_sum"], rel_tol=1e-9, abs_tol=1e-4)
        assert row["share_peak"] == want["peak"]


@pytest.mark.parametrize(("window", "resolution"), [(60, 1), (3600, 1), (60, 3600)])
@_laws
@given(events=_events, order=st.randoms(use_true_random=False))
def test_the_order_of_events_changes_nothing(
    events: list[dict[str, Any]], order: Any, window: int, resolution: int
) -> None:
    first = run(events, window, resolution=resolution)
    shuffled = list(events)
    order.shuffle(shuffled)
    assert run(shuffled, window, resolution=resolution) == first


@pytest.mark.parametrize(("window", "resolution"), [(60, 1), (3600, 1), (60, 3600)])
@_laws
@given(events=_events)
def test_the_day_is_the_fold_of_its_hours(
    events: list[dict[str, Any]], window: int, resolution: int
) -> None:
    tiles = run(events, window, resolution=resolution)
    grouped: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in tiles["hour"]:
        key = (row["tenant_id"], row["meter"], row["event_hour"] // 24, row["arrival_hour"] // 24)
        grouped[key].append(row)
    assert len(tiles["day"]) == len(grouped)
    for day in tiles["day"]:
        hours = grouped[day["tenant_id"], day["meter"], day["event_day"], day["arrival_day"]]
        summed = ["event_count", "quantity_sum", "window_count", "share_sum", "coarse_count"]
        summed += [f"share_{kind}_{i}" for kind in ("count", "sum") for i in range(BINS)]
        for name in summed:
            assert day[name] == sum(hour[name] for hour in hours), name
        for name in ("quantity_max", "hour_peak", "share_peak", "last_at_us"):
            assert day[name] == max(hour[name] for hour in hours), name
        last = max((hour["last_at_us"], hour["last_value"]) for hour in hours)
        assert (day["last_at_us"], day["last_value"]) == last
        assert day["active_hours"] == len({hour["event_hour"] for hour in hours})


@_laws
@given(events=_events)
def test_estimates_keep_the_total_and_say_that_they_are_estimates(
    events: list[dict[str, Any]],
) -> None:
    for row in run(events, 60, resolution=3600)["hour"]:
        counts = [row[f"share_count_{i}"] for i in range(BINS)]
        assert row["window_count"] == row["coarse_count"] == sum(counts)
        base = limit_at(row["tenant_id"], row["event_hour"])
        if row["meter"] != "api.requests" or base is None or row["quantity_sum"] == 0:
            assert row["window_count"] == 0
            continue
        assert 1 <= row["window_count"] <= 60
        total = row["quantity_sum"] / base
        assert math.isclose(row["share_sum"], total, rel_tol=1e-6, abs_tol=1e-4)
        assert row["share_peak"] >= total / 60 * (1 - 1e-9)
        bounds = [0.0, *EDGES, math.inf]
        for i, count in enumerate(counts):
            low, high = bounds[i] * count, bounds[i + 1] * count if count else 0.0
            assert low - 1e-4 <= row[f"share_sum_{i}"] <= high + 1e-4
