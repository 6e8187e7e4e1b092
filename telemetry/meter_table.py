"""Declared meters in ``events.sqlite``: ``meters.json`` once imported."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flyball.meter import STANDARD_METERS, Aggregation, Meter


def read_meters(connection: Any) -> dict[str, Meter]:
    """Standard meters, overridden and extended by the declared ones."""
    rows = connection.execute(
        "SELECT name, unit, aggregation, counts, resolution_seconds FROM meter"
    )
    declared = {
        row[0]: Meter(
            name=row[0],
            unit=row[1],
            aggregation=Aggregation(row[2]),
            counts=row[3],
            resolution_seconds=row[4],
        )
        for row in rows
    }
    return {**STANDARD_METERS, **declared}


def write_meters(connection: Any, meters: Iterable[Meter]) -> None:
    """Declare ``meters``, replacing those of the same name; call inside a transaction."""
    connection.executemany(
        "INSERT OR REPLACE INTO meter VALUES (?,?,?,?,?)",
        [(m.name, m.unit, m.aggregation.value, m.counts, m.resolution_seconds) for m in meters],
    )
