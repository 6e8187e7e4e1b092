"""Demand of the last 24 hours by event hour, for spikes that daily tiles see too late."""

from __future__ import annotations

from typing import Any

import ibis

from features.definitions.relations.stages import Stages
from features.definitions.relations.tables import first_day, last_day, table


def hours(subject: Any, stages: Stages) -> Any:
    """Tile rows of the primary meter in event hours T-24 ... T-1; ``hours_ago`` 1 is T-1."""
    keys = subject.select(
        "sid", "tenant_id", "as_of_hour", meter=subject.primary_meter, arrival_day=subject.as_of_day
    )
    before = keys.mutate(arrival_day=keys.arrival_day - 1)
    tiles = table("usage_hour").filter(
        lambda row: (
            (row.arrival_hour >= first_day() * 24 - 24) & (row.arrival_hour < last_day() * 24 + 24)
        )
    )
    tiles = tiles.mutate(arrival_day=tiles.arrival_hour // 24)
    wanted = stages.add("hour_day", ibis.union(keys, before))
    met = tiles.join(wanted, ["tenant_id", "meter", "arrival_day"]).filter(
        lambda row: (
            (row.arrival_hour < row.as_of_hour)
            & (row.event_hour < row.as_of_hour)
            & (row.event_hour >= row.as_of_hour - 24)
        )
    )
    return met.select(
        "sid", demand=met.quantity_sum, hours_ago=lambda row: row.as_of_hour - row.event_hour
    )
