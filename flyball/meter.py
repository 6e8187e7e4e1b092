"""Meters: what is measured, in which unit, and how a day's events become one number."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from flyball.errors import InvalidInput
from flyball.identity import check_word

#: Quantities above this are refused: float64 sums of larger ones lose whole units.
MAX_QUANTITY = 1e15

#: Quantities are folded in steps of 2**-10, so that float64 sums are exact and order-free.
QUANTUM = 1.0 / 1024.0


class Aggregation(StrEnum):
    """How a meter's events combine: added, largest, or most recent value."""

    SUM = "sum"
    MAX = "max"
    LAST = "last"


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """A measured unit.

    Parameters
    ----------
    name:
        Dotted word, e.g. ``api.requests``.
    unit:
        Singular unit of ``quantity``, e.g. ``request``.
    aggregation:
        ``sum``, ``max`` or ``last``.
    counts:
        For request meters: ``demand`` (everything asked for) or ``accepted`` (what was let
        through; blocked requests of ``api.blocked`` are then added to get demand).
    resolution_seconds:
        Length of the span that one event of this meter covers (1: single events). An event's time
        is the start of its span. A span longer than the limit's window is too coarse to see peaks
        in, so they are estimated and marked.
    """

    name: str
    unit: str
    aggregation: Aggregation
    counts: str = "demand"
    resolution_seconds: int = 1

    def __post_init__(self) -> None:
        check_word(self.name, field="meter")
        if self.counts not in {"demand", "accepted"}:
            raise InvalidInput(
                f"meter {self.name}: counts must be 'demand' or 'accepted', not {self.counts!r}.",
                field="counts",
            )
        if not 1 <= self.resolution_seconds <= 31 * 86_400:
            raise InvalidInput(
                f"meter {self.name}: resolution_seconds must lie in 1..2678400.",
                field="resolution_seconds",
            )


def _standard(name: str, unit: str, aggregation: Aggregation = Aggregation.SUM) -> Meter:
    return Meter(name=name, unit=unit, aggregation=aggregation)


STANDARD_METERS: Mapping[str, Meter] = {
    meter.name: meter
    for meter in (
        _standard("api.requests", "request"),
        _standard("api.requests.peak", "request per minute", Aggregation.MAX),
        _standard("api.blocked", "request"),
        _standard("compute.seconds", "second"),
        _standard("db.reads", "read"),
        _standard("exports", "export"),
        _standard("ai.tokens", "token"),
        _standard("storage.bytes", "byte", Aggregation.LAST),
        _standard("seats.active", "seat", Aggregation.LAST),
        _standard("workflows.concurrent", "workflow", Aggregation.MAX),
        _standard("logins", "login"),
        _standard("support.tickets", "ticket"),
        _standard("integrations.active", "integration", Aggregation.LAST),
    )
}


def meters_from(declared: Iterable[Mapping[str, object]]) -> dict[str, Meter]:
    """Standard meters, overridden and extended by the entries of ``meters.json``.

    Each entry has ``name`` and optionally ``unit``, ``aggregation``, ``counts`` and
    ``resolution_seconds``.

    Raises
    ------
    InvalidInput
        An entry is not an object, or one of its fields is out of range.
    """
    meters = dict(STANDARD_METERS)
    for entry in declared:
        if not isinstance(entry, Mapping):
            raise InvalidInput("meters.json must hold a list of objects.", field="meters")
        name = check_word(entry.get("name"), field="name")
        known = meters.get(name)
        aggregation = entry.get("aggregation", known.aggregation if known else "sum")
        resolution = entry.get("resolution_seconds", known.resolution_seconds if known else 1)
        try:
            meters[name] = Meter(
                name=name,
                unit=str(entry.get("unit", known.unit if known else "unit")),
                aggregation=Aggregation(str(aggregation)),
                counts=str(entry.get("counts", known.counts if known else "demand")),
                resolution_seconds=int(str(resolution)),
            )
        except ValueError as error:
            raise InvalidInput(f"meter {name}: {error}.", field="meters") from error
    return meters


def check_quantity(value: object, *, field: str = "quantity") -> float:
    """Return ``value`` as float if it is a finite number in ``[0, 1e15]``; booleans are refused."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInput(f"{field} must be a number.", field=field, code="bad_quantity")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number) or number < 0 or number > MAX_QUANTITY:
        raise InvalidInput(
            f"{field} {str(value)[:32]} is out of range.",
            "Quantities are finite and lie in 0..1e15.",
            field=field,
            code="bad_quantity",
        )
    return number
