"""CloudEvents 1.0 on the wire: single, batch and binary mode, as OpenMeter's emitters post them.

``subject`` is the tenant (or an alias), ``type`` the meter, ``data.quantity`` the quantity (a
number or a numeric string), ``data.endpoint`` optional; without ``time`` the arrival counts. One
bad event never costs a good one: it becomes a :class:`Reject` with its position.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from flyball.errors import InvalidInput
from flyball.identity import check_identifier
from flyball.instant import HOUR_US, parse_instant
from flyball.meter import Meter, check_quantity
from flyball.usage import UsageEvent
from telemetry.event_source import check_source

SINGLE = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"

MAX_BODY_BYTES = 8 * 1024 * 1024
MAX_BATCH_EVENTS = 10_000

#: An event may be this far ahead of our clock before it is refused.
MAX_AHEAD_US = HOUR_US

MAX_ENDPOINT_CHARS = 256


@dataclass(frozen=True, slots=True)
class Reject:
    """One event that could not be read: its position in the batch, a stable code, and why."""

    index: int
    code: str
    reason: str


@dataclass(slots=True)
class Parsed:
    """What a body held. ``positions[i]`` is the place of ``events[i]`` in the body."""

    events: list[UsageEvent] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)

    def take(self, index: int, read: UsageEvent | InvalidInput) -> None:
        """Add one event or the reason why it is none."""
        if isinstance(read, UsageEvent):
            self.events.append(read)
            self.positions.append(index)
        else:
            self.rejects.append(Reject(index, read.code, str(read)))


class _Data(msgspec.Struct):
    quantity: int | float | str | None = None
    endpoint: str | None = None


class _CloudEvent(msgspec.Struct):
    id: str
    source: str
    type: str
    subject: str
    specversion: str = ""
    time: str | None = None
    data: _Data | None = None


_one = msgspec.json.Decoder(_CloudEvent)
_many = msgspec.json.Decoder(list[_CloudEvent])
_raws = msgspec.json.Decoder(list[msgspec.Raw])
_data = msgspec.json.Decoder(_Data)


def parse_single(body: bytes, *, arrived_us: int, meters: Mapping[str, Meter]) -> Parsed:
    """Read one structured event (``application/cloudevents+json``).

    Raises
    ------
    InvalidInput
        The body as a whole cannot be read: too large, or not JSON.
    """
    _check_size(body)
    parsed = Parsed()
    _check_json(body)
    parsed.take(0, _read(body, arrived_us, meters))
    return parsed


def parse_batch(body: bytes, *, arrived_us: int, meters: Mapping[str, Meter]) -> Parsed:
    """Read a JSON array of events (``application/cloudevents-batch+json``).

    Raises
    ------
    InvalidInput
        The body as a whole cannot be read: too large, not JSON, not an array, too many events.
    """
    _check_size(body)
    parsed = Parsed()
    try:
        decoded = _many.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raws = _raw_events(body)
        _check_count(len(raws))
        for index, raw in enumerate(raws):
            parsed.take(index, _read(bytes(raw), arrived_us, meters))
        return parsed
    _check_count(len(decoded))
    for index, event in enumerate(decoded):
        parsed.take(index, _checked(event, arrived_us, meters))
    return parsed


def parse_binary(
    headers: Mapping[str, str], body: bytes, *, arrived_us: int, meters: Mapping[str, Meter]
) -> Parsed:
    """Read one event in binary mode: attributes in ``ce-*`` headers, data in the body.

    Parameters
    ----------
    headers:
        With lower-case names.
    """
    _check_size(body)
    parsed = Parsed()
    try:
        data = _data.decode(body)
    except msgspec.ValidationError as error:
        parsed.rejects.append(Reject(0, "bad_event", f"data: {error}."))
        return parsed
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _not_json(error) from error
    event = _CloudEvent(
        id=headers.get("ce-id", ""),
        source=headers.get("ce-source", ""),
        type=headers.get("ce-type", ""),
        subject=headers.get("ce-subject", ""),
        specversion=headers.get("ce-specversion", ""),
        time=headers.get("ce-time"),
        data=data,
    )
    parsed.take(0, _checked(event, arrived_us, meters))
    return parsed


def _read(body: bytes, arrived_us: int, meters: Mapping[str, Meter]) -> UsageEvent | InvalidInput:
    try:
        event = _one.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return InvalidInput(f"Not a CloudEvent: {error}.", code="bad_event")
    return _checked(event, arrived_us, meters)


def _checked(
    event: _CloudEvent, arrived_us: int, meters: Mapping[str, Meter]
) -> UsageEvent | InvalidInput:
    try:
        return _usage(event, arrived_us, meters)
    except InvalidInput as error:
        return error


def _usage(event: _CloudEvent, arrived_us: int, meters: Mapping[str, Meter]) -> UsageEvent:
    if event.specversion != "1.0":
        raise InvalidInput(
            f"specversion {event.specversion[:16]!r} is not supported.",
            "Send CloudEvents 1.0.",
            field="specversion",
            code="bad_event",
        )
    if event.type not in meters:
        raise unknown_meter(event.type)
    time_us = arrived_us if event.time is None else parse_instant(event.time)
    if time_us > arrived_us + MAX_AHEAD_US:
        raise InvalidInput(
            f"time {str(event.time)[:40]} is more than an hour ahead of our clock.",
            "Check the sender's clock.",
            field="time",
            code="future_time",
        )
    data = event.data or _Data()
    return UsageEvent(
        tenant_id=check_identifier(event.subject, field="subject"),
        source=check_source(event.source),
        event_id=check_identifier(event.id, field="id"),
        time_us=time_us,
        arrived_us=max(arrived_us, time_us),
        meter=event.type,
        quantity=_quantity(data.quantity),
        endpoint=check_endpoint(data.endpoint),
    )


def unknown_meter(name: str) -> InvalidInput:
    """The reject of an undeclared meter."""
    return InvalidInput(
        f"meter {name[:64]!r} is not declared.",
        "Declare it in meters.json.",
        field="meter",
        code="unknown_meter",
    )


def check_endpoint(value: str | None) -> str:
    """Return ``value`` (empty for None) if it is short printable text."""
    if not value:
        return ""
    if len(value) > MAX_ENDPOINT_CHARS or not value.isprintable():
        raise InvalidInput(
            f"endpoint {value[:64]!r} must be printable text of at most 256 characters.",
            field="endpoint",
            code="bad_endpoint",
        )
    return value


def _quantity(value: int | float | str | None) -> float:
    if value is None:
        raise InvalidInput("data.quantity is missing.", field="quantity", code="bad_quantity")
    if isinstance(value, str):
        try:
            value = float(value) if len(value) <= 64 else float("nan")
        except ValueError:
            value = float("nan")
    return check_quantity(value)


def _check_size(body: bytes) -> None:
    if len(body) > MAX_BODY_BYTES:
        raise InvalidInput(
            f"The body has {len(body)} bytes; at most {MAX_BODY_BYTES} are taken.",
            "Send smaller batches.",
            code="too_large",
        )


def _check_count(count: int) -> None:
    if count > MAX_BATCH_EVENTS:
        raise InvalidInput(
            f"The batch holds {count} events; at most {MAX_BATCH_EVENTS} are taken.",
            "Send smaller batches.",
            code="too_large",
        )


def _check_json(body: bytes) -> None:
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _not_json(error) from error


def _raw_events(body: bytes) -> list[msgspec.Raw]:
    try:
        return _raws.decode(body)
    except msgspec.ValidationError as error:
        raise InvalidInput(
            "A batch must be a JSON array of events.",
            f"For one event use content type {SINGLE}.",
            code="bad_body",
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _not_json(error) from error


def _not_json(error: Exception) -> InvalidInput:
    return InvalidInput(f"The body is not valid JSON: {error}.", code="bad_body")
