"""A cap on what runs at the same time, with a bounded queue: waiting rather than an error.

Only the order of things is here; whoever uses it waits and wakes (see :mod:`serving.middleware`).
A change of the cap takes nothing from what runs: with a smaller one fewer start until enough have
left, with a larger one more start at once.
"""

from __future__ import annotations

from collections import OrderedDict
from enum import StrEnum


class Entry(StrEnum):
    """What became of asking for a slot."""

    ENTERED = "entered"
    QUEUED = "queued"
    FULL = "full"


class Slots:
    """The slots of one tenant and meter, and its own queue: first come, first served.

    Tickets are whatever the caller uses to name a request; each may be in use once at a time.
    """

    __slots__ = ("_held", "_queue", "_weights")

    def __init__(self) -> None:
        self._held = 0
        self._weights: dict[object, int] = {}
        self._queue: OrderedDict[object, int] = OrderedDict()

    @property
    def held(self) -> int:
        """Slots in use."""
        return self._held

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return len(self._queue)

    @property
    def idle(self) -> bool:
        """Whether nothing runs and nothing waits."""
        return not self._weights and not self._queue

    def enter(self, ticket: object, *, cap: int, queue: int, weight: int = 1) -> Entry:
        """Ask for ``weight`` slots of ``cap``; behind those who wait already.

        With ``queue`` requests waiting already the answer is FULL. What weighs more than the cap
        enters when nothing runs.
        """
        if not self._queue and self._fits(weight, cap):
            self._take(ticket, weight)
            return Entry.ENTERED
        if len(self._queue) >= queue:
            return Entry.FULL
        self._queue[ticket] = weight
        return Entry.QUEUED

    def leave(self, ticket: object) -> None:
        """The request is over, or has given up waiting. Unknown tickets are ignored."""
        if self._queue.pop(ticket, None) is None:
            self._held -= self._weights.pop(ticket, 0)

    def admit(self, cap: int) -> list[object]:
        """Move those who may run now from the queue into slots; their tickets, in order."""
        admitted: list[object] = []
        while self._queue:
            ticket, weight = next(iter(self._queue.items()))
            if not self._fits(weight, cap):
                break
            del self._queue[ticket]
            self._take(ticket, weight)
            admitted.append(ticket)
        return admitted

    def _fits(self, weight: int, cap: int) -> bool:
        return self._held + weight <= cap or self._held == 0

    def _take(self, ticket: object, weight: int) -> None:
        self._weights[ticket] = weight
        self._held += weight
