"""A form as somebody filled it in: what they typed, and what is wrong with which field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from starlette.datastructures import FormData

from flyball.errors import InvalidInput
from flyball.instant import DAY_US

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: Longer input than this is cut before it is looked at; every field allows less.
_MOST = 5_000


@dataclass(frozen=True, slots=True)
class Filled:
    """Values by field, as typed; errors by field, as sentences with what to do."""

    values: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)

    def value(self, name: str, otherwise: str = "") -> str:
        """What stands in the field."""
        return self.values.get(name, otherwise)

    def day(self, name: str) -> str:
        """What stands in a date field: browsers take nothing but a date there."""
        try:
            return date.fromisoformat(self.value(name)).isoformat()
        except ValueError:
            return ""

    def error(self, name: str) -> str:
        """What is wrong with the field; empty where nothing is."""
        return self.errors.get(name, "")

    def refused(self, error: InvalidInput, names: tuple[str, ...]) -> Filled:
        """The same with the error beside the field that it names (the first one otherwise)."""
        name = error.field if error.field in names else names[0]
        return Filled(self.values, {name: str(error)})


def filled(form: FormData, names: tuple[str, ...]) -> Filled:
    """The named fields of a form, stripped."""
    values = {}
    for name in names:
        value = form.get(name, "")
        values[name] = value.strip()[:_MOST] if isinstance(value, str) else ""
    return Filled(values)


def day_of(us: int) -> str:
    """``2026-11-21``: the UTC day of an instant, as date fields want it."""
    return (_EPOCH + timedelta(microseconds=us)).date().isoformat()


def day_start(text: str, *, field: str) -> int:
    """Midnight UTC (µs) at which the day written as ``2026-11-21`` begins.

    Raises
    ------
    InvalidInput
        It is no such day.
    """
    try:
        day = date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        day = None
    if day is None or not 1970 <= day.year < 2200:
        raise InvalidInput(
            "This is no date." if text else "A date is missing.",
            "Write it as year-month-day, such as 2026-11-21.",
            field=field, code="bad_date",
        )  # fmt: skip
    return int((datetime.combine(day, time.min, UTC) - _EPOCH).total_seconds()) * 1_000_000


def day_end(text: str, *, field: str) -> int:
    """The instant (µs) at which that day is over, UTC."""
    return day_start(text, field=field) + DAY_US
