"""Weeks and hours as whole numbers: weeks since Monday 1970-01-05, hours since 1970-01-01."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

HOURS = 168
_ANCHOR_HOUR = 4 * 24
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HOUR_US = 3_600_000_000


def week_of(hour: int) -> int:
    """The week that ``hour`` lies in."""
    return (hour - _ANCHOR_HOUR) // HOURS


def first_hour(week: int) -> int:
    """Monday 00:00 UTC of ``week``, in hours since the epoch.

    Examples
    --------
    >>> instant(first_hour(week_of(490_000)))
    '2025-11-24T00:00:00Z'
    """
    return week * HOURS + _ANCHOR_HOUR


def hour_of(text: str) -> int:
    """Read RFC 3339 text (``now`` means this moment), rounded down to the hour."""
    if text == "now":
        return int((datetime.now(UTC) - _EPOCH) // timedelta(hours=1))
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no zone; write it like 2026-06-01T00:00:00Z.")
    return int((moment - _EPOCH) // timedelta(hours=1))


def instant(hour: int) -> str:
    """RFC 3339 text of a whole hour."""
    return (_EPOCH + timedelta(hours=hour)).isoformat().replace("+00:00", "Z")


def instant_us(micros: int) -> str:
    """RFC 3339 text of microseconds since the epoch."""
    return (_EPOCH + timedelta(microseconds=micros)).isoformat().replace("+00:00", "Z")


def date_text(hour: int) -> str:
    """Calendar date of an hour, for file names."""
    return instant(hour)[:10]
