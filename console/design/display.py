"""Numbers, money and times as people read them. Everything here is text, never markup."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from flyball.currency import minor_exponent
from flyball.instant import DAY_US, HOUR_US, MINUTE_US

#: What stands where nothing is known.
NOTHING = "–"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}
_MINUS = "\N{MINUS SIGN}"


def moment(us: int | None) -> datetime | None:
    """Microseconds since 1970 as a UTC datetime."""
    return None if us is None else _EPOCH + timedelta(microseconds=us)


def date(us: int | None) -> str:
    """``21 Nov 2026``."""
    at = moment(us)
    return NOTHING if at is None else f"{at.day} {at:%b %Y}"


def date_time(us: int | None) -> str:
    """``21 Nov 2026, 13:05 UTC``."""
    at = moment(us)
    return NOTHING if at is None else f"{at.day} {at:%b %Y, %H:%M} UTC"


def iso(us: int | None) -> str:
    """RFC 3339, for ``datetime`` attributes."""
    at = moment(us)
    return "" if at is None else at.isoformat(timespec="seconds").replace("+00:00", "Z")


def ago(us: int | None, now_us: int) -> str:
    """``3 h ago``, ``in 24 d``; ``now`` within a minute."""
    if us is None:
        return NOTHING
    span = now_us - us
    size = abs(span)
    if size < MINUTE_US:
        return "now"
    for unit, word in ((365 * DAY_US, "y"), (DAY_US, "d"), (HOUR_US, "h"), (MINUTE_US, "min")):
        if size >= unit:
            text = f"{size // unit} {word}"
            return f"{text} ago" if span > 0 else f"in {text}"
    return "now"


def percent(share: float | None, places: int = 1) -> str:
    """``3.2 %``; ``< 0.1 %`` for what is not quite nothing."""
    if share is None:
        return NOTHING
    smallest = 10.0**-places
    if 0.0 < share * 100 < smallest / 2:
        return f"< {smallest:.{places}f} %"
    return f"{share * 100:.{places}f} %"


def points(change: float | None) -> str:
    """A change of a probability in percentage points: ``+2.4``."""
    if change is None:
        return NOTHING
    return signed(change * 100, 1)


def signed(value: float, places: int = 0) -> str:
    """A number with its sign; 0 has none."""
    text = f"{abs(value):,.{places}f}"
    if float(text.replace(",", "")) == 0.0:
        return text
    return ("+" if value > 0 else _MINUS) + text


def multiplier(arm: int | None) -> str:
    """An arm in hundredths as ``×0.85``."""
    return NOTHING if arm is None else f"×{arm / 100:.2f}"


def whole(value: float | None) -> str:
    """``12,345``."""
    return NOTHING if value is None else f"{value:,.0f}"


def money(minor: float | None, currency: str) -> str:
    """An amount in minor units as ``$105,972``: whole units, which is what people compare."""
    if minor is None:
        return NOTHING
    amount = minor / 10 ** minor_exponent(currency)
    sign = _SIGNS.get(currency)
    text = f"{abs(amount):,.0f}"
    shown = f"{sign}{text}" if sign else f"{text} {currency}"
    return _MINUS + shown if round(amount) < 0 else shown


def compact(value: float | None) -> str:
    """``1.2 M``, ``340 k``."""
    if value is None:
        return NOTHING
    for size, word in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g} {word}"
    return f"{value:.3g}"


def numbers(text: str | None) -> list[float]:
    """A JSON list of numbers as the read model keeps it."""
    return [float(item) for item in json.loads(text)] if text else []


def plural(count: int, one: str, many: str = "") -> str:
    """``1 account``, ``2,000 accounts``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
