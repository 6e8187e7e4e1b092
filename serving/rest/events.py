"""Telemetry in: usage events as CloudEvents, acknowledged only when they are durable."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from functools import partial

import msgspec
from fastapi import APIRouter, Request, Response

from flyball.errors import InvalidInput
from flyball.instant import LATEST_US
from flyball.usage import UsageEvent
from serving.rest.body import read_body
from serving.rest.gate import At, Ingest
from serving.rest.problem import ProblemError
from serving.worker import Worker
from telemetry.cloudevents import (
    BATCH,
    MAX_BODY_BYTES,
    SINGLE,
    Parsed,
    parse_batch,
    parse_binary,
    parse_single,
)
from telemetry.store import Outcome, Receipt

_EVENT = {
    "specversion": "1.0",
    "id": "5c10fade-1c9e-4d6c-8275-c52c36731d3c",
    "source": "gateway-1",
    "type": "api.requests",
    "subject": "ent_88492",
    "time": "2026-01-05T13:00:00Z",
    "data": {"quantity": 120},
}

_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            SINGLE: {"example": _EVENT, "schema": {"type": "object"}},
            BATCH: {"example": [_EVENT], "schema": {"type": "array"}},
            "application/json": {
                "example": {"quantity": 120},
                "schema": {"type": "object"},
            },
        },
    }
}

#: Outcomes that are an event's one effect, and those that are refusals.
_REFUSED = {
    Outcome.CONFLICT: "The same identity was sent with other content before; it was kept apart.",
    Outcome.BEFORE_ACCOUNT: "The event is older than the tenant's account.",
}


class EventRefusal(msgspec.Struct, frozen=True):
    """One event that did not go in: its position in the body, a stable code, and why."""

    index: int
    code: str
    reason: str


class EventReceipt(msgspec.Struct, frozen=True):
    """What became of the events of one request."""

    accepted: int
    duplicate: int
    pending: int
    rejected: list[EventRefusal]


def _parse(request: Request, body: bytes, worker: Worker) -> Parsed:
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    # Where decisions follow events, an event arrives at its own time, however far ahead that is.
    arrived_us = LATEST_US - 1 if worker.follows_events else worker.now_us()
    meters = worker.meters()
    if media == BATCH:
        return parse_batch(body, arrived_us=arrived_us, meters=meters)
    if media == SINGLE:
        return parse_single(body, arrived_us=arrived_us, meters=meters)
    if "ce-specversion" in request.headers:
        headers = {name.lower(): value for name, value in request.headers.items()}
        return parse_binary(headers, body, arrived_us=arrived_us, meters=meters)
    raise ProblemError(
        415,
        f"Send {SINGLE}, {BATCH}, or binary mode with ce- headers.",
        code="unsupported_media_type",
    )


def _on_arrival(events: list[UsageEvent], worker: Worker) -> list[UsageEvent]:
    """Events as they arrive by the service's clock; one without a time arrives at its now."""
    if not worker.follows_events:
        return events
    now_us = worker.known_us()
    times = (now_us if e.time_us == e.arrived_us else e.time_us for e in events)
    return [
        replace(event, time_us=time_us, arrived_us=time_us)
        for event, time_us in zip(events, times, strict=True)
    ]


def _receipt(parsed: Parsed, receipt: Receipt, worker: Worker) -> EventReceipt:
    refused = [EventRefusal(r.index, r.code, r.reason) for r in parsed.rejects]
    for position, outcome in zip(parsed.positions, receipt.outcomes, strict=True):
        if outcome in _REFUSED:
            refused.append(EventRefusal(position, outcome.value, _REFUSED[outcome]))
    counts = receipt.counts()
    tally = Counter({outcome.value: count for outcome, count in counts.items()})
    tally["rejected"] += len(parsed.rejects)
    for outcome_name, count in tally.items():
        if count:
            worker.metrics.events.labels(outcome_name).inc(count)
    return EventReceipt(
        accepted=counts.get(Outcome.ACCEPTED, 0),
        duplicate=counts.get(Outcome.DUPLICATE, 0),
        pending=counts.get(Outcome.PENDING, 0),
        rejected=sorted(refused, key=lambda refusal: refusal.index),
    )


def routes() -> APIRouter:
    """Routes for usage events."""
    router = APIRouter(tags=["telemetry"])

    @router.post(
        "/v1/events",
        summary="Usage events as CloudEvents 1.0: single, batch or binary",
        status_code=202,
        openapi_extra=_BODY,
        responses={
            202: {
                "description": "Durable. Rejected events are listed with their position.",
                "content": {
                    "application/json": {
                        "example": {"accepted": 1, "duplicate": 0, "pending": 0, "rejected": []}
                    }
                },
            }
        },
    )
    async def events(request: Request, worker: At, _: Ingest) -> Response:
        body = await read_body(request, MAX_BODY_BYTES)
        if not body.strip():
            raise ProblemError(400, "The body is empty; an event is needed.", code="empty_body")
        loop = asyncio.get_running_loop()
        # The first use opens stores and reads meters; never on the event loop.
        parse = partial(_parse, request, body, worker)
        try:
            parsed = parse() if worker.warm else await loop.run_in_executor(None, parse)
        except InvalidInput as error:
            raise ProblemError(400, str(error), code=error.code) from error
        receipt = Receipt(())
        if parsed.events:
            taken = _on_arrival(parsed.events, worker)
            submit = partial(worker.events.submit, taken, worker.resolve)
            future = await loop.run_in_executor(None, submit)
            receipt = await asyncio.wrap_future(future)
        answer = _receipt(parsed, receipt, worker)
        # A body of which nothing could be taken is the sender's error, not an acknowledgement.
        status = 202 if receipt.outcomes or not answer.rejected else 400
        if status == 400:
            first = answer.rejected[0]
            raise ProblemError(
                400,
                f"No event could be taken. The first: {first.reason}",
                code=first.code,
                rejected=answer.rejected,
            )
        return Response(
            msgspec.json.encode(answer), status_code=status, media_type="application/json"
        )

    return router
