"""Reading single fields of import rows: text as CSV has it, or native values as Parquet has them.

A field counts as absent when it is missing, None, NaN or empty text.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache

import msgspec

from flyball.errors import InvalidInput
from flyball.identity import check_identifier, check_label
from flyball.instant import check_instant, parse_instant

Row = Mapping[str, object]

_MAX_DIGITS = 40
_EPOCH_TEXT = "1970-01-01T00:00:00+00:00"
_EPOCH = datetime.fromisoformat(_EPOCH_TEXT)

_cached_instant = lru_cache(maxsize=4096)(parse_instant)
# Labels repeat: a handful of segments, policies and owners over many rows.
_cached_label = lru_cache(maxsize=4096)(check_label)


def absent(value: object) -> bool:
    """Whether ``value`` stands for nothing given."""
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def required(row: Row, name: str) -> object:
    """The field ``name``, which must be there."""
    value = row.get(name)
    if absent(value):
        raise InvalidInput(
            f"{name} is missing.", f"Every row needs {name}.", field=name, code="missing_field"
        )
    return value


def identifier(row: Row, name: str) -> str:
    """A required identifier; whole numbers are taken as their digits."""
    return check_identifier(_digits(required(row, name)), field=name)


def optional_identifier(row: Row, name: str) -> str:
    """An identifier, or ``""``."""
    value = row.get(name)
    return "" if absent(value) else check_identifier(_digits(value), field=name)


def label(row: Row, name: str) -> str:
    """Text for people (NFC), or ``""``."""
    value = row.get(name)
    if absent(value):
        return ""
    if isinstance(value, str):
        return _cached_label(value, field=name)
    return check_label(_digits(value), field=name)


def _digits(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def word(row: Row, name: str, allowed: tuple[str, ...]) -> str:
    """A required field that is one of ``allowed`` (any case)."""
    value = required(row, name)
    text = value.strip().lower() if isinstance(value, str) else ""
    if text not in allowed:
        raise InvalidInput(
            f"{name} {str(value)[:32]!r} is not one of {', '.join(allowed)}.",
            field=name,
            code=f"bad_{name}",
        )
    return text


def instant(row: Row, name: str) -> int:
    """A required time in microseconds: RFC 3339 text with a zone, or a datetime with a zone."""
    return _instant(required(row, name), name)


def optional_instant(row: Row, name: str) -> int | None:
    """A time in microseconds, or None."""
    value = row.get(name)
    return None if absent(value) else _instant(value, name)


def _instant(value: object, name: str) -> int:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise InvalidInput(
                f"{name} has no zone.",
                "Store it as a UTC timestamp (timestamp with time zone).",
                field=name,
                code="bad_time",
            )
        return check_instant((value - _EPOCH) // timedelta(microseconds=1), field=name)
    if isinstance(value, str):
        return _cached_instant(value.strip(), field=name)
    return parse_instant(value, field=name)


def number(row: Row, name: str) -> float:
    """A required finite number."""
    return _number(required(row, name), name)


def _number(value: object, name: str) -> float:
    found: float | None = None
    if isinstance(value, str) and len(value) <= _MAX_DIGITS and "_" not in value:
        try:
            found = float(value)
        except ValueError:
            found = None
    elif not isinstance(value, bool | str):
        try:
            found = float(value)  # type: ignore[arg-type]  # Decimal and NumPy numbers too
        except (TypeError, ValueError, OverflowError):
            found = None
    if found is None or not math.isfinite(found):
        raise InvalidInput(
            f"{name} {str(value)[:32]!r} is not a finite number.", field=name, code="bad_number"
        )
    return found


def optional_whole(row: Row, name: str) -> int | None:
    """A whole number, or None; ``12.0`` is 12, as spreadsheets write it."""
    value = row.get(name)
    if absent(value):
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and len(value) <= _MAX_DIGITS:
        text = value.strip()
        if text.lstrip("+-").isdigit() and text.isascii():
            return int(text)
    found = _number(value, name)
    if found != int(found) or abs(found) > 2**53:
        raise InvalidInput(
            f"{name} {str(value)[:32]!r} is not a whole number.", field=name, code="bad_number"
        )
    return int(found)


def names(row: Row, name: str) -> tuple[str, ...]:
    """Several identifiers: a list, a JSON list, or text separated by ``;``, ``|`` or ``,``.

    Sorted and without repeats, so that their order makes no other version.
    """
    value = row.get(name)
    if absent(value):
        return ()
    items: object = value
    if isinstance(value, str):
        text = value.strip()
        if text.startswith("["):
            items = _json(text, name)
        else:
            items = [part.strip() for part in text.replace("|", ";").replace(",", ";").split(";")]
    if not isinstance(items, list | tuple):
        raise InvalidInput(
            f"{name} must be a list of names.", "Separate them by ;", field=name, code="bad_list"
        )
    wanted = {check_identifier(_digits(item), field=name) for item in items if not absent(item)}
    return tuple(sorted(wanted))


def _json(text: str, name: str) -> object:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidInput(f"{name} is not JSON: {error}.", field=name, code="bad_json") from error


def arm_shares(row: Row, *spellings: str) -> dict[int, float] | None:
    """Arm to probability from the first field given of ``spellings``; None if none is.

    Keys are multipliers (``0.85``) or hundredths (``85``); values lie in (0, 1] and sum to 1.
    """
    for name in spellings:
        value = row.get(name)
        if not absent(value):
            if isinstance(value, str):
                return dict(_shares_of_text(value, name))
            return dict(_shares(value, name))
    return None


@lru_cache(maxsize=1024)
def _shares_of_text(text: str, name: str) -> tuple[tuple[int, float], ...]:
    return _shares(_json(text, name), name)


def _shares(value: object, name: str) -> tuple[tuple[int, float], ...]:
    # Parquet maps arrive as lists of pairs.
    pairs = value.items() if isinstance(value, Mapping) else value
    if not isinstance(value, Mapping) and not isinstance(value, list | tuple):
        raise InvalidInput(f"{name} must map arms to probabilities.", field=name, code="bad_arm")
    shares: dict[int, float] = {}
    for pair in pairs:  # type: ignore[attr-defined]
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise InvalidInput(
                f"{name} must map arms to probabilities.", field=name, code="bad_arm"
            )
        if absent(pair[1]):  # a Parquet struct has every arm, null where it was not offered
            continue
        arm, share = arm_hundredths(pair[0], name), _number(pair[1], name)
        if not 0.0 < share <= 1.0 or arm in shares:
            raise InvalidInput(
                f"{name}: probability {share} of arm {arm} must lie in (0, 1], one an arm.",
                field=name,
                code="bad_propensity",
            )
        shares[arm] = share
    if abs(sum(shares.values()) - 1.0) > 1e-6:
        raise InvalidInput(
            f"{name}: probabilities sum to {sum(shares.values()):.6g}, not 1.",
            "List every arm that could have been drawn.",
            field=name,
            code="bad_propensity",
        )
    return tuple(sorted(shares.items()))


def arm_hundredths(value: object, name: str) -> int:
    """An arm in integer hundredths from a multiplier (``0.85``) or from hundredths (``85``).

    Numbers up to 10 are multipliers; above, hundredths.
    """
    found = _number(value, name)
    scaled = found * 100 if found <= 10 else found
    arm = round(scaled)
    if abs(scaled - arm) > 1e-6 or not 1 <= arm <= 1000:
        raise InvalidInput(
            f"{name} {str(value)[:16]} is not a multiplier in whole hundredths, 0.01..10.",
            "Write it like 0.85.",
            field=name,
            code="bad_arm",
        )
    return arm
