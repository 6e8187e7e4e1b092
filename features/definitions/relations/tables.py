"""Unbound tables of the inputs, declared from the contract."""

from __future__ import annotations

from typing import Any

import ibis

from features.inputs import INPUTS

_IBIS_TYPES = {"VARCHAR": "string", "BIGINT": "int64", "DOUBLE": "float64"}

#: Stand-ins for the numbers that the executor puts into the SQL; the compiler renames them.
FIRST_DAY_SENTINEL = 9_000_000_000_001
LAST_DAY_SENTINEL = 9_000_000_000_002


def table(name: str) -> Any:
    """The input relation ``name`` as an unbound table."""
    return ibis.table(
        {column: _IBIS_TYPES[kind] for column, kind in INPUTS[name].items()}, name=name
    )


def first_day() -> Any:
    """Day of the spine's earliest as-of hour; a number in the SQL, so that scans can skip."""
    return ibis.literal(FIRST_DAY_SENTINEL, type="int64")


def last_day() -> Any:
    """Day of the spine's latest as-of hour."""
    return ibis.literal(LAST_DAY_SENTINEL, type="int64")
