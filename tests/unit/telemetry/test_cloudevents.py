from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest

from flyball.errors import InvalidInput
from flyball.meter import STANDARD_METERS
from telemetry import cloudevents
from telemetry.cloudevents import Parsed, parse_batch, parse_binary, parse_single

NOW_US = 1_767_614_400_000_000  # 2026-01-05T12:00:00Z


def wire(**changes: Any) -> dict[str, Any]:
    """An event as OpenMeter's documentation posts it."""
    event: dict[str, Any] = {
        "specversion": "1.0",
        "type": "api.requests",
        "id": "00001",
        "time": "2026-01-05T11:00:00.001Z",
        "source": "service-0",
        "subject": "customer-1",
        "data": {"quantity": 5, "endpoint": "/hello"},
    }
    event.update(changes)
    return {key: value for key, value in event.items() if value is not ...}


def batch(*events: Any) -> Parsed:
    return parse_batch(json.dumps(events).encode(), arrived_us=NOW_US, meters=STANDARD_METERS)


def codes(parsed: Parsed) -> list[str]:
    return [reject.code for reject in parsed.rejects]


def test_a_single_event_is_read() -> None:
    body = json.dumps(wire()).encode()
    parsed = parse_single(body, arrived_us=NOW_US, meters=STANDARD_METERS)
    (event,) = parsed.events
    assert (event.tenant_id, event.source, event.event_id) == ("customer-1", "service-0", "00001")
    assert (event.meter, event.quantity, event.endpoint) == ("api.requests", 5.0, "/hello")
    assert event.time_us == NOW_US - 3_599_999_000
    assert event.arrived_us == NOW_US


def test_a_batch_keeps_positions() -> None:
    parsed = batch(wire(), wire(specversion="0.3"), wire(id="2"), 7, wire(id="3"))
    assert parsed.positions == [0, 2, 4]
    assert [(r.index, r.code) for r in parsed.rejects] == [(1, "bad_event"), (3, "bad_event")]


def test_binary_mode_reads_headers() -> None:
    headers = {
        "ce-specversion": "1.0",
        "ce-id": "7",
        "ce-source": "gw",
        "ce-type": "exports",
        "ce-subject": "ent_1",
        "ce-time": "2026-01-05T11:00:00Z",
    }
    parsed = parse_binary(headers, b'{"quantity": 2}', arrived_us=NOW_US, meters=STANDARD_METERS)
    assert parsed.events[0].meter == "exports"
    wrong = parse_binary(headers, b"[1]", arrived_us=NOW_US, meters=STANDARD_METERS)
    assert codes(wrong) == ["bad_event"]
    nothing = parse_binary({}, b"{}", arrived_us=NOW_US, meters=STANDARD_METERS)
    assert codes(nothing) == ["bad_event"]
    with pytest.raises(InvalidInput, match="not valid JSON"):
        parse_binary(headers, b"{", arrived_us=NOW_US, meters=STANDARD_METERS)


def test_without_a_time_the_arrival_counts() -> None:
    (event,) = batch(wire(time=...)).events
    assert event.time_us == event.arrived_us == NOW_US


def test_a_time_a_little_ahead_is_taken_and_never_arrives_before_itself() -> None:
    (event,) = batch(wire(time="2026-01-05T12:59:00Z")).events
    assert event.arrived_us == event.time_us
    assert codes(batch(wire(time="2026-01-05T13:00:01Z"))) == ["future_time"]


def test_numeric_text_is_a_quantity() -> None:
    assert batch(wire(data={"quantity": "12.5"})).events[0].quantity == 12.5


@pytest.mark.parametrize(
    "quantity",
    [None, -1, "NaN", "inf", "-Infinity", "1e400", 1e16, "", "x", True, [], {}, "9" * 400, 10**400],
)
def test_quantities_out_of_range_are_refused(quantity: object) -> None:
    assert not batch(wire(data={"quantity": quantity})).events


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-1e999", "1e999"])
def test_numbers_that_json_does_not_have_never_become_events(text: str) -> None:
    body = json.dumps([wire()]).replace('"quantity": 5', f'"quantity": {text}').encode()
    with contextlib.suppress(InvalidInput):
        assert not parse_batch(body, arrived_us=NOW_US, meters=STANDARD_METERS).events


@pytest.mark.parametrize("time", ["2026-01-05T11:00:00", "yesterday", "", "2026-13-05T11:00:00Z"])
def test_times_without_a_zone_or_a_date_are_refused(time: str) -> None:
    assert codes(batch(wire(time=time))) == ["bad_time"]


@pytest.mark.parametrize(
    "name",
    ["../etc/passwd", "a b", "", "a\u202eb", "x" * 129, "a\u0000", "é", "a/b", ".."],
)
def test_identifiers_that_could_do_harm_are_refused(name: str) -> None:
    assert codes(batch(wire(subject=name))) == ["bad_identifier"]
    assert codes(batch(wire(id=name))) == ["bad_identifier"]


def test_sources_may_be_uri_references() -> None:
    assert batch(wire(source="https://gw.example/eu?x=1#2")).events
    assert codes(batch(wire(source="a b"), wire(source="x" * 257))) == ["bad_identifier"] * 2


def test_an_undeclared_meter_says_what_to_do() -> None:
    (reject,) = batch(wire(type="pdf.pages")).rejects
    assert reject.code == "unknown_meter"
    assert "Declare it in meters.json" in reject.reason


@pytest.mark.parametrize("missing", ["id", "source", "type", "subject", "specversion", "data"])
def test_a_missing_attribute_costs_only_its_event(missing: str) -> None:
    parsed = batch(wire(), wire(**{missing: ...}))
    assert parsed.positions == [0]
    assert len(parsed.rejects) == 1


def test_endpoints_are_short_printable_text() -> None:
    parsed = batch(
        wire(data={"quantity": 1, "endpoint": "x" * 257}),
        wire(data={"quantity": 1, "endpoint": "a\u202eb"}),
        wire(data={"quantity": 1, "endpoint": "a\nb"}),
    )
    assert codes(parsed) == ["bad_endpoint"] * 3


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[", b"nope", b"[" * 100_000, b"\xff\xfe", b"[{}", b'"text"', b"7"]
)
def test_a_body_that_is_no_batch_is_refused_as_a_whole(body: bytes) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_batch(body, arrived_us=NOW_US, meters=STANDARD_METERS)
    assert caught.value.code == "bad_body"


def test_bodies_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloudevents, "MAX_BATCH_EVENTS", 2)
    with pytest.raises(InvalidInput, match="at most 2"):
        batch(wire(), wire(), wire())
    with pytest.raises(InvalidInput, match="at most 2"):
        batch(1, 2, 3)
    monkeypatch.setattr(cloudevents, "MAX_BODY_BYTES", 10)
    with pytest.raises(InvalidInput, match="Send smaller batches"):
        batch(wire())


def test_deep_nesting_does_no_harm() -> None:
    body = b'[{"data":' + b"[" * 50_000 + b"]" * 50_000 + b"}]"
    with pytest.raises(InvalidInput):
        parse_batch(body, arrived_us=NOW_US, meters=STANDARD_METERS)
    single = b'{"data":' + b"[" * 50_000 + b"]" * 50_000 + b"}"
    with pytest.raises(InvalidInput):
        parse_single(single, arrived_us=NOW_US, meters=STANDARD_METERS)


def test_unknown_attributes_are_ignored() -> None:
    assert batch(wire(traceparent="00-x", dataschema="https://x", extra={"a": [1]})).events
