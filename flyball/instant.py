"""Points in time as integers: microseconds, hours and days since 1970-01-01T00:00:00Z.

Names carry their unit (``_us``, ``_hour``, ``_day``). Text is RFC 3339 with a zone; a time without
a zone is refused, because guessing one silently moves usage between days.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from flyball.errors import InvalidInput

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 3_600 * SECOND_US
DAY_US = 24 * HOUR_US

#: Earliest and latest instants accepted anywhere: 1990-01-01 and 2200-01-01.
EARLIEST_US = 631_152_000 * SECOND_US
LATEST_US = 7_258_118_400 * SECOND_US

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339 = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:[Zz]|[+-]\d{2}:\d{2})", re.ASCII
)


def parse_instant(text: object, *, field: str = "time") -> int:
    """Read an RFC 3339 instant with a zone.

    Returns
    -------
    int
        Microseconds since the epoch (digits past the microsecond are cut), in
        ``[EARLIEST_US, LATEST_US)``.

    Raises
    ------
    InvalidInput
        Not text, not RFC 3339, no zone, not a real date, or outside 1990-2200.

    Examples
    --------
    >>> parse_instant("2026-01-05T00:00:00Z")
    1767571200000000
    """
    if not isinstance(text, str) or not _RFC3339.fullmatch(text):
        raise InvalidInput(
            f"{field} {str(text)[:64]!r} is not an RFC 3339 time with a zone.",
            "Write it like 2026-01-05T13:00:00Z.",
            field=field,
            code="bad_time",
        )
    normal = re.sub(r"(\.\d{6})\d+", r"\1", text.upper().replace(" ", "T"))
    try:
        moment = datetime.fromisoformat(normal)
        micros = (moment - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError) as error:
        raise InvalidInput(
            f"{field} {text!r} is not a real date and time.",
            "Write it like 2026-01-05T13:00:00Z.",
            field=field,
            code="bad_time",
        ) from error
    return check_instant(micros, field=field)


def check_instant(micros: int, *, field: str = "time") -> int:
    """Return ``micros`` if it lies in ``[EARLIEST_US, LATEST_US)``, else raise InvalidInput."""
    if not EARLIEST_US <= micros < LATEST_US:
        raise InvalidInput(
            f"{field} lies outside the years 1990-2200.",
            "Check the unit: times are RFC 3339 text, not numbers.",
            field=field,
            code="bad_time",
        )
    return micros


def format_instant(micros: int) -> str:
    """Write microseconds since the epoch as RFC 3339 UTC, with a fraction only where needed.

    Examples
    --------
    >>> format_instant(1767571200000000)
    '2026-01-05T00:00:00Z'
    """
    moment = _EPOCH + timedelta(microseconds=micros)
    return moment.isoformat().replace("+00:00", "Z")


def hour_of(micros: int) -> int:
    """Whole hours since the epoch, rounded down."""
    return micros // HOUR_US


def day_of(micros: int) -> int:
    """Whole UTC days since the epoch, rounded down."""
    return micros // DAY_US


#: Periods are counted from a Monday, so that weekly periods are calendar weeks.
PERIOD_ANCHOR_US = 4 * DAY_US


def period_start(micros: int, period_days: int) -> int:
    """Start (µs) of the decision period that contains ``micros``; periods start on Mondays.

    Examples
    --------
    >>> format_instant(period_start(parse_instant("2026-01-07T12:00:00Z"), 7))
    '2026-01-05T00:00:00Z'
    """
    length = period_days * DAY_US
    return micros - (micros - PERIOD_ANCHOR_US) % length
