"""Times on the command line: now, an RFC 3339 instant, or a duration from now."""

from __future__ import annotations

import re
import time

from flyball.errors import InvalidInput
from flyball.instant import DAY_US, HOUR_US, MINUTE_US, check_instant, format_instant, parse_instant

_DURATION = re.compile(r"(\d{1,5})([mhdw])", re.ASCII)
_UNIT_US = {"m": MINUTE_US, "h": HOUR_US, "d": DAY_US, "w": 7 * DAY_US}


def wall_clock_us() -> int:
    """Microseconds since the epoch by the machine's clock."""
    return time.time_ns() // 1_000


def moment(text: str | None, *, field: str = "at") -> int:
    """``text`` as an instant; the machine's clock if it is None."""
    return wall_clock_us() if text is None else parse_instant(text, field=field)


def as_of_moment(text: str | None) -> int:
    """An as-of time: ``text`` as an instant that is not ahead of the machine's clock, or now.

    Nothing is known yet of the future, and a live decision made there would block all before it.
    An hour's grace is what usage events get too.
    """
    as_of_us = moment(text, field="as_of")
    if as_of_us > wall_clock_us() + HOUR_US:
        raise InvalidInput(
            f"as_of {format_instant(as_of_us)} lies in the future.",
            "Give a time that has been, or leave out --as-of for now.",
            field="as_of",
            code="future_time",
        )
    return as_of_us


def expiry(text: str, now_us: int) -> int:
    """When something ends: ``30m``, ``12h``, ``7d``, ``2w`` from now, or an instant.

    Examples
    --------
    >>> expiry("7d", 1767571200000000) - 1767571200000000 == 7 * DAY_US
    True
    """
    found = _DURATION.fullmatch(text)
    if found is not None:
        return check_instant(now_us + int(found[1]) * _UNIT_US[found[2]], field="expires")
    if "T" not in text.upper():
        raise InvalidInput(
            f"expires {text[:64]!r} is neither a duration nor a time.",
            "Write it like 12h, 7d, 2w or 2026-01-05T13:00:00Z.",
            field="expires",
            code="bad_time",
        )
    return parse_instant(text, field="expires")
