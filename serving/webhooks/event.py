"""Events as messages: what the receiver reads in the body.

``{"type": "notice.raised", "timestamp": "2026-01-05T00:00:00Z", "data": {...}}``
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from flyball.instant import format_instant
from ledger.outbox import Message
from ledger.store import OutboxStore
from serving.webhooks.endpoint import WebhookSettings

#: The standard asks for small messages; a receiver looks up the rest.
MOST_BODY_BYTES = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened at ``at_us``.

    ``key`` makes the message's name together with type and time: the same event told twice is one
    message. ``data`` is what JSON can hold, in camelCase, and never a probability or a score.
    """

    type: str
    key: str
    at_us: int
    data: Mapping[str, object]


def message_of(event: Event) -> Message:
    """The message that tells of an event."""
    body = msgspec.json.encode(
        {"type": event.type, "timestamp": format_instant(event.at_us), "data": dict(event.data)}
    )
    if len(body) > MOST_BODY_BYTES:
        raise ValueError(f"A message of {len(body)} bytes is too large for a webhook.")
    # The standard signs id.timestamp.body: an id must hold no full stop.
    name = event.type.replace(".", "_")
    return Message(
        message_id=f"msg_{name}_{event.key}_{event.at_us:x}".replace(".", "-"),
        type=event.type,
        body=body.decode("utf-8"),
        created_us=event.at_us,
    )


def tell(
    outbox: OutboxStore, settings: WebhookSettings, events: Iterable[Event], *, now_us: int
) -> int:
    """Put events that the operator wants to hear of into the outbox; how many were new.

    Durable on return; sending is :mod:`serving.webhooks.sender`'s. Call it from the control loop or
    a command, never from the data path.
    """
    wanted = [message_of(event) for event in events if settings.wants(event.type)]
    return outbox.enqueue(wanted, now_us=now_us, most=settings.most_waiting)
