"""Waiting for a slot: an event loop's side of :mod:`flyball.enforcement.slots`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from flyball.enforcement.slots import Entry, Slots

#: How often those who wait look whether the cap has changed.
LOOK_SECONDS = 0.05


class WaitingRooms:
    """Slots of every (tenant, meter), with those who wait for them. Belongs to one event loop."""

    def __init__(self) -> None:
        self._slots: dict[tuple[str, str], Slots] = {}
        self._waiting: dict[object, asyncio.Future[None]] = {}

    def __len__(self) -> int:
        return len(self._slots)

    def held(self, key: tuple[str, str]) -> int:
        """Slots in use."""
        slots = self._slots.get(key)
        return 0 if slots is None else slots.held

    def enter_at_once(self, key: tuple[str, str], *, cap: int) -> object | None:
        """A ticket for one of ``cap`` slots, if one is free and nobody waits; else nothing."""
        slots = self._slots.get(key)
        if slots is None:
            slots = self._slots[key] = Slots()
        elif slots.waiting:
            return None
        ticket = object()
        return ticket if slots.enter(ticket, cap=cap, queue=0) is Entry.ENTERED else None

    async def enter(
        self,
        key: tuple[str, str],
        cap: Callable[[], int],
        *,
        queue: int,
        weight: int,
        deadline_seconds: float,
    ) -> object | None:
        """Wait for ``weight`` slots of ``cap()``, which may change meanwhile.

        Returns
        -------
        object | None
            A ticket to :meth:`leave` with; None if the queue is full, or the deadline has passed.
        """
        slots = self._slots.setdefault(key, Slots())
        ticket = object()
        # Whoever may run under a cap that has grown goes first.
        now = cap()
        self._wake(slots, now)
        entry = slots.enter(ticket, cap=now, queue=queue, weight=weight)
        if entry is Entry.ENTERED:
            return ticket
        if entry is Entry.FULL:
            return None
        return ticket if await self._wait(key, ticket, cap, deadline_seconds) else None

    async def _wait(
        self,
        key: tuple[str, str],
        ticket: object,
        cap: Callable[[], int],
        deadline_seconds: float,
    ) -> bool:
        loop = asyncio.get_running_loop()
        turn = self._waiting[ticket] = loop.create_future()
        ends = loop.time() + deadline_seconds
        admitted = False
        try:
            while not turn.done() and (left := ends - loop.time()) > 0:
                await asyncio.wait((turn,), timeout=min(left, LOOK_SECONDS))
                self._wake(self._slots[key], cap())
            admitted = turn.done()
        finally:
            del self._waiting[ticket]
            if not admitted:
                # Also when the client went away: the place in the queue is somebody else's.
                self.leave(key, ticket, cap())
        return admitted

    def leave(self, key: tuple[str, str], ticket: object, cap: int) -> None:
        """The request is over: whoever is next may start."""
        slots = self._slots[key]
        slots.leave(ticket)
        self._wake(slots, cap)
        if slots.idle:
            del self._slots[key]

    def _wake(self, slots: Slots, cap: int) -> None:
        for ticket in slots.admit(cap):
            turn = self._waiting[ticket]
            if not turn.done():
                turn.set_result(None)
