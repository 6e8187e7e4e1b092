"""The outbox: messages that wait for their webhook to take them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message to one's webhook; ``body`` is the JSON that is signed and sent, unchanged.

    ``message_id`` stays the same over all attempts, so that a receiver can tell a repetition.
    ``due_us`` is when to try next.
    """

    message_id: str
    type: str
    body: str
    created_us: int
    attempts: int = 0
    due_us: int = 0
    last_error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxCounts:
    """How the outbox is doing; ``oldest_us`` is when the oldest waiting message was made."""

    waiting: int = 0
    delivered: int = 0
    given_up: int = 0
    oldest_us: int | None = None
    last_error: str = ""
