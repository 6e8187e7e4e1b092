"""Why a row was refused, in words that say what to do."""

from __future__ import annotations

from collections.abc import Mapping

_REASONS = {
    "bad_identifier": "{field} {value!r} cannot be used: 1-128 ASCII letters, digits and"
    " _.:@|+=~- (no slashes, spaces or '..').",
    "bad_time": "{field} {value!r} is not an RFC 3339 time with a zone within 1990-2200."
    " Write it like 2026-01-05T13:00:00Z.",
    "future_time": "{field} {value!r} is more than an hour ahead of now. Check the clock or unit.",
    "bad_quantity": "{field} {value!r} is not a finite number in 0..1e15.",
    "unknown_meter": "meter {value!r} is not declared. Declare it in meters.json.",
    "bad_endpoint": "{field} {value!r} must be printable text of at most 256 characters.",
    "before_account": "{field} {value!r} lies before the account was created. Check created_at.",
    "conflict": "Another event has the id {value!r} of this tenant and source but other content."
    " The first one stays.",
}


def reason_of(code: str, field: str, kind: str, row: Mapping[str, object]) -> str:
    """One sentence for a refused row.

    Parameters
    ----------
    kind:
        DuckDB type of the field's column in the file, where it matters.
    """
    if code == "bad_time" and kind.startswith("TIMESTAMP") and "ZONE" not in kind:
        return f"column {field} has no time zone ({kind}). Write it as a UTC timestamp with zone."
    text = _REASONS.get(code, "The row cannot be used.")
    return text.format(field=field, value=str(row.get(field, ""))[:64])
