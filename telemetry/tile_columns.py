"""Columns of the tile relations, and the steps the fold counts in; see the data-model page."""

from __future__ import annotations

#: Lower edges of the share bins above bin 0.
EDGES = (0.70, 0.85, 1.00, 1.15, 1.30, 1.60, 2.00)
BINS = len(EDGES) + 1

#: Steps per unit of quantity and per unit of share: sums of whole steps are exact in any order.
UNIT_STEPS = 1_024
SHARE_STEPS = 1_048_576

#: A window's share is cut here: a million times the limit says as much as more would, and a day of
#: minutes still adds up exactly.
MAX_SHARE = 1_048_576.0

_VALUES = (
    "event_count quantity_sum quantity_max hour_peak last_at_us last_value active_hours"
    " window_count share_sum share_peak "
    + " ".join(f"share_count_{i}" for i in range(BINS))
    + " "
    + " ".join(f"share_sum_{i}" for i in range(BINS))
    + " coarse_count"
).split()

HOUR_COLUMNS = ("tenant_id", "meter", "event_hour", "arrival_hour", *_VALUES)
DAY_COLUMNS = ("tenant_id", "meter", "event_day", "arrival_day", *_VALUES)

#: Relation -> its columns in order.
COLUMNS = {"hour": HOUR_COLUMNS, "day": DAY_COLUMNS}


def column_type(name: str) -> str:
    """DuckDB type of a tile column."""
    if name in ("tenant_id", "meter"):
        return "VARCHAR"
    if name in ("quantity_sum", "quantity_max", "hour_peak", "last_value", "share_peak"):
        return "DOUBLE"
    return "DOUBLE" if name.startswith("share_sum") else "BIGINT"


def empty_relation(columns: tuple[str, ...]) -> str:
    """SQL of a relation with ``columns`` and no rows."""
    typed = ", ".join(f"NULL::{column_type(name)} AS {name}" for name in columns)
    return f"SELECT {typed} WHERE false"
