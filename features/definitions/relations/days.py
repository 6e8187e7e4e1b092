"""Usage by subject and event day, as it had arrived by the subject's as-of hour.

Closed arrival days come from ``usage_day``, the as-of day's own arrivals from ``usage_hour``.
Both are first folded over meters and arrival days into one wide row per tenant and event day;
joining those with the spine costs 31 rows a subject, whatever the number of meters and as-of
times.
"""

from __future__ import annotations

from typing import Any

import ibis

from features.definitions.portable import largest, packed_in_day, real, total
from features.definitions.relations.stages import Stages
from features.definitions.relations.tables import first_day, last_day, table

#: The widest window in days (a monthly allowance); event days D-30 ... D are read.
WINDOW_DAYS = 30
#: Subjects and days meet in buckets of this many days: an equality join instead of a range join.
BUCKET_DAYS = 32

#: Gauges, and what others do to a tenant, are no sign of the tenant's own activity.
_PASSIVE = ("storage.bytes", "seats.active", "integrations.active", "support.tickets")
_GAUGES = {
    "storage": "storage.bytes",
    "seats": "seats.active",
    "integrations": "integrations.active",
}
_SUMS = {
    "blocked": "api.blocked",
    "logins": "logins",
    "exports": "exports",
    "ai_tokens": "ai.tokens",
    "db_reads": "db.reads",
}

#: Share bins 5 to 7 are told apart by no arm of the default grid.
_BINS: dict[str, tuple[int, ...]] = {"1": (1,), "2": (2,), "3": (3,), "4": (4,), "5": (5, 6, 7)}

#: Columns that add up over meters, arrivals and days.
SUM_COLUMNS = (
    "demand",
    *_SUMS,
    "activity",
    "active_hours",
    "windows",
    "coarse",
    "share_sum",
    *(f"bin_sum_{each}" for each in _BINS),
    *(f"bin_count_{each}" for each in _BINS),
)
#: Columns of which the largest counts.
MAX_COLUMNS = ("hour_peak", "workflows", "last_at_us", "share_peak", *_GAUGES)


def _binned(rows: Any, column: str, bins: tuple[int, ...]) -> Any:
    """Sum of histogram columns, as float64."""
    first, *others = (rows[f"{column}_{each}"] for each in bins)
    for other in others:
        first = first + other
    return real(first).sum()


def _aggregates(rows: Any) -> dict[str, Any]:
    """One wide row out of tile rows of several meters (``rows.primary_meter`` names the main)."""
    primary = rows.meter == rows.primary_meter
    active = ~rows.meter.isin(_PASSIVE)
    wide = {"demand": total(rows.quantity_sum, primary)}
    wide |= {name: total(rows.quantity_sum, rows.meter == meter) for name, meter in _SUMS.items()}
    wide |= {
        "activity": total(rows.event_count, active),
        "active_hours": total(rows.active_hours, primary),
        "windows": real(rows.window_count).sum(),
        "coarse": real(rows.coarse_count).sum(),
        "share_sum": rows.share_sum.sum(),
    }
    for name, bins in _BINS.items():
        wide[f"bin_sum_{name}"] = _binned(rows, "share_sum", bins)
        wide[f"bin_count_{name}"] = _binned(rows, "share_count", bins)
    wide |= {
        "hour_peak": largest(rows.hour_peak, primary),
        "workflows": largest(rows.quantity_max, rows.meter == "workflows.concurrent"),
        "last_at_us": largest(rows.last_at_us, active),
        "share_peak": rows.share_peak.max(),
    }
    return wide | {
        name: largest(rows.gauge, rows.meter == meter) for name, meter in _GAUGES.items()
    }


def _closed(subject: Any, stages: Stages) -> Any:
    """Arrival days before the as-of day, folded once per tenant, then met with each as-of."""
    mains = stages.add("main_meter", subject.select("tenant_id", "primary_meter").distinct())
    tiles = table("usage_day").filter(
        lambda row: (
            (row.event_day >= first_day() - WINDOW_DAYS)
            & (row.event_day <= last_day())
            & (row.arrival_day < last_day())
        )
    )
    tiles = tiles.join(mains, "tenant_id")
    tiles = tiles.mutate(gauge=packed_in_day(tiles.last_value, tiles.last_at_us, tiles.event_day))
    folded = tiles.group_by("tenant_id", "primary_meter", "event_day", "arrival_day").aggregate(
        **_aggregates(tiles)
    )
    folded = stages.add("tile_day", folded.mutate(bucket=folded.event_day // BUCKET_DAYS))
    keys = subject.select("sid", "tenant_id", "primary_meter", "as_of_day")
    here = keys.mutate(bucket=keys.as_of_day // BUCKET_DAYS)
    before = keys.mutate(bucket=keys.as_of_day // BUCKET_DAYS - 1)
    wanted = stages.add("day_bucket", ibis.union(here, before))
    met = folded.join(wanted, ["tenant_id", "primary_meter", "bucket"])
    met = met.filter(
        lambda row: (
            (row.event_day >= row.as_of_day - WINDOW_DAYS)
            & (row.event_day <= row.as_of_day)
            & (row.arrival_day < row.as_of_day)
        )
    )
    return met.select(
        "sid", *SUM_COLUMNS, *MAX_COLUMNS, age=lambda row: row.as_of_day - row.event_day
    )


def _today(subject: Any) -> Any:
    """Arrivals of the as-of day itself, up to the as-of hour; nothing for midnight as-ofs."""
    keys = subject.filter(subject.day_part > 0.0).select(
        "sid", "tenant_id", "primary_meter", "as_of_hour", arrival_day=subject.as_of_day
    )
    tiles = table("usage_hour").filter(
        lambda row: (
            (row.arrival_hour >= first_day() * 24) & (row.arrival_hour < (last_day() + 1) * 24)
        )
    )
    tiles = tiles.mutate(arrival_day=tiles.arrival_hour // 24, event_day=tiles.event_hour // 24)
    met = tiles.join(keys, ["tenant_id", "arrival_day"]).filter(
        lambda row: (
            (row.arrival_hour < row.as_of_hour)
            & (row.event_hour < row.as_of_hour)
            & (row.event_day >= row.arrival_day - WINDOW_DAYS)
        )
    )
    met = met.mutate(
        age=met.arrival_day - met.event_day,
        gauge=packed_in_day(met.last_value, met.last_at_us, met.event_day),
    )
    folded = met.group_by("sid", "age").aggregate(**_aggregates(met))
    return folded.select("sid", *SUM_COLUMNS, *MAX_COLUMNS, "age")


def days(subject: Any, stages: Stages) -> Any:
    """One row per subject and event day with usage; ``age`` 0 is the as-of day.

    ``demand_top`` repeats the subject's largest daily demand of the last 28 days.
    """
    closed = stages.add("closed_day", _closed(subject, stages))
    both = ibis.union(closed, stages.add("today", _today(subject)))
    both = stages.add("usage", both)
    daily = both.group_by("sid", "age").aggregate(
        **{name: both[name].sum() for name in SUM_COLUMNS},
        **{name: both[name].max() for name in MAX_COLUMNS},
    )
    daily = stages.add("daily", daily)
    recent = daily.filter(daily.age <= 28)
    tops = stages.add("top_day", recent.group_by("sid").aggregate(demand_top=recent.demand.max()))
    limits = subject.select("sid", "as_of_day", "base_limit", "window_seconds")
    joined = daily.left_join(tops, daily.sid == tops.sid, rname="{name}_of_top")
    joined = joined.join(limits, daily.sid == limits.sid, rname="{name}_of_limit")
    return joined.select(
        daily,
        tops.demand_top,
        limits.base_limit,
        limits.window_seconds,
        event_day=limits.as_of_day - daily.age,
    )
