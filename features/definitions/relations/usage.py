"""Usage tiles by subject, as they had arrived by the subject's as-of hour.

Closed arrival days come from ``usage_day``, the as-of day's own arrivals from ``usage_hour``.
Subjects and days meet in buckets of days: an equality join, where a range join would compare every
as-of time of a tenant with every day. Three relations come out of it, because what must be known
per day (a few columns) is dear and what only adds up (many columns) is cheap.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ibis

from features.definitions.portable import largest, packed, total
from features.definitions.relations.stages import Stages
from features.definitions.relations.tables import first_day, last_day, table
from features.inputs import LOOKBACK_DAYS

#: Two buckets hold a window: that of the as-of day and the one before.
BUCKET_DAYS = 32

LOGINS = "logins"
BLOCKED = "api.blocked"
#: Meters whose sums, peaks and last values engagement features use.
OTHER_METERS = (
    "exports",
    "ai.tokens",
    "db.reads",
    "workflows.concurrent",
    "storage.bytes",
    "seats.active",
    "integrations.active",
)
_BINS = tuple(range(1, 8))

Condition = Callable[[Any], Any]


def keys(subject: Any, stages: Stages) -> None:
    """Add the two steps that tiles are joined with: ``day_bucket`` and ``inside_day``."""
    wanted = subject.select("sid", "tenant_id", "primary_meter", "as_of_day")
    here = wanted.mutate(bucket=wanted.as_of_day // BUCKET_DAYS)
    before = wanted.mutate(bucket=wanted.as_of_day // BUCKET_DAYS - 1)
    stages.add("day_bucket", ibis.union(here, before))
    inside = subject.filter(subject.day_part > 0.0)
    stages.add(
        "inside_day",
        inside.select(
            "sid", "tenant_id", "primary_meter", "as_of_hour", arrival_day=inside.as_of_day
        ),
    )


def _closed(stages: Stages, keep: Condition, columns: tuple[str, ...]) -> Any:
    """Arrivals of days before the as-of day."""
    tiles = table("usage_day").filter(
        lambda row: (
            (row.event_day >= first_day() - LOOKBACK_DAYS)
            & (row.event_day <= last_day())
            & (row.arrival_day < last_day())
        )
    )
    tiles = tiles.mutate(bucket=tiles.event_day // BUCKET_DAYS)
    met = tiles.join(stages.table("day_bucket"), ["tenant_id", "bucket"]).filter(
        lambda row: (
            (row.event_day >= row.as_of_day - LOOKBACK_DAYS)
            & (row.event_day <= row.as_of_day)
            & (row.arrival_day < row.as_of_day)
        ),
        keep,
    )
    return met.select("sid", *columns, age=met.as_of_day - met.event_day)


def _today(stages: Stages, keep: Condition, columns: tuple[str, ...]) -> Any:
    """Arrivals of the as-of day itself, up to the as-of hour; nothing for midnight as-ofs."""
    tiles = table("usage_hour").filter(
        lambda row: (
            (row.arrival_hour >= first_day() * 24) & (row.arrival_hour < last_day() * 24 + 24)
        )
    )
    tiles = tiles.mutate(arrival_day=tiles.arrival_hour // 24, event_day=tiles.event_hour // 24)
    met = tiles.join(stages.table("inside_day"), ["tenant_id", "arrival_day"]).filter(
        lambda row: (
            (row.arrival_hour < row.as_of_hour)
            & (row.event_hour < row.as_of_hour)
            & (row.event_day >= row.arrival_day - LOOKBACK_DAYS)
        ),
        keep,
    )
    return met.select("sid", *columns, age=met.arrival_day - met.event_day)


def _arrived(stages: Stages, keep: Condition, *columns: str) -> Any:
    """Tile rows that had arrived; ``age`` is the event day's distance from the as-of day."""
    return ibis.union(_closed(stages, keep, columns), _today(stages, keep, columns))


def shares(subject: Any, stages: Stages) -> Any:
    """Tile rows of the primary meter: limit windows and their histogram. Several rows a day."""
    counted = ("window_count", "coarse_count", "share_sum", "active_hours")
    bins = [f"{column}_{i}" for column in ("share_sum", "share_count") for i in _BINS]
    return _arrived(stages, lambda row: row.meter == row.primary_meter, *counted, *bins)


def meters(subject: Any, stages: Stages) -> Any:
    """Tile rows of the meters beside the primary one, several rows a day.

    ``gauge`` is the last value, packed behind its time, so that the largest is the most recent.
    """
    columns = ("meter", "quantity_sum", "quantity_max", "last_value", "last_at_us", "event_day")
    rows = _arrived(stages, lambda row: row.meter.isin(OTHER_METERS), *columns)
    gauge = packed(rows.last_value, rows.last_at_us, rows.event_day, LOOKBACK_DAYS - rows.age)
    return rows.select("sid", "meter", "age", "quantity_sum", "quantity_max", gauge=gauge)


def days(subject: Any, stages: Stages) -> Any:
    """One row per subject and event day with demand, logins or blocked requests.

    ``demand``, ``hour_peak`` and ``share_peak`` are the primary meter's; ``logins``, ``blocked``;
    ``last_at_us`` of any of them; ``demand_top`` repeats the largest day of the last 28.
    """
    columns = (
        "meter", "primary_meter", "event_day", "quantity_sum", "hour_peak", "share_peak",
        "last_at_us",
    )  # fmt: skip
    rows = _arrived(
        stages,
        lambda row: (row.meter == row.primary_meter) | row.meter.isin((LOGINS, BLOCKED)),
        *columns,
    )
    primary = rows.meter == rows.primary_meter
    daily = rows.group_by("sid", "event_day").aggregate(
        demand=total(rows.quantity_sum, primary),
        hour_peak=largest(rows.hour_peak, primary),
        share_peak=largest(rows.share_peak, primary),
        logins=total(rows.quantity_sum, rows.meter == LOGINS),
        blocked=total(rows.quantity_sum, rows.meter == BLOCKED),
        last_at_us=rows.last_at_us.max(),
    )
    daily = stages.add("daily", daily)
    known = subject.select("sid", "as_of_day", "base_limit", "window_seconds")
    joined = daily.join(known, daily.sid == known.sid, rname="{name}_of_subject")
    aged = joined.select(
        daily,
        known.base_limit,
        known.window_seconds,
        age=known.as_of_day - daily.event_day,
    )
    aged = stages.add("aged_day", aged)
    recent = aged.filter(aged.age <= 28)
    tops = stages.add("top_day", recent.group_by("sid").aggregate(demand_top=recent.demand.max()))
    topped = aged.left_join(tops, aged.sid == tops.sid, rname="{name}_of_top")
    return topped.select(aged, tops.demand_top)
