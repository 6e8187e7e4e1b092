"""Usage that Envoys report becomes usage events: durable, each counted once.

The protocol has no acknowledgement, so a report that has been read is ours to keep: it waits in
memory until it is committed, is tried again under the same identity, and a repeated commit is a
duplicate. What a killed process loses is what was read in the last moment before (one flush).
"""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections import deque
from collections.abc import Callable, Sequence

import structlog

from flyball.enforcement.counters import REQUEST_METER
from flyball.errors import FlyballError
from flyball.usage import UsageEvent
from serving.envoy.assignment import BucketKey

BLOCKED_METER = "api.blocked"
SOURCE = "envoy-rlqs"
#: Events that may wait while the event log cannot be written; the oldest are then given up, and
#: said to be.
MOST_WAITING = 100_000
_BATCH = 2_000
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 10.0


class ReportedUsage:
    """Turns the reports of one stream into events.

    Parameters
    ----------
    counts_demand:
        Whether the meter of requests counts demand (blocked ones included) or what was let through.
    """

    def __init__(self, *, counts_demand: Callable[[], bool]) -> None:
        self._stream = uuid.uuid4().hex
        self._number = 0
        self._counts_demand = counts_demand

    def events(
        self,
        key: BucketKey,
        tenant: str,
        *,
        allowed: int,
        denied: int,
        elapsed_us: int,
        now_us: int,
    ) -> list[UsageEvent]:
        """The events of one bucket's report; none where nothing was asked for."""
        self._number += 1
        label = hashlib.blake2b(repr(key).encode(), digest_size=6).hexdigest()
        demand = allowed + denied if self._counts_demand() else allowed
        start_us = max(0, now_us - max(0, elapsed_us))
        return [
            UsageEvent(
                tenant_id=tenant,
                source=SOURCE,
                event_id=f"{self._stream}-{self._number}-{label}-{kind}",
                time_us=start_us,
                arrived_us=now_us,
                meter=meter,
                quantity=float(quantity),
            )
            for kind, meter, quantity in (
                ("r", REQUEST_METER, demand),
                ("b", BLOCKED_METER, denied),
            )
            if quantity > 0
        ]


class UsageLog:
    """Commits events in the background, again and again until they are durable.

    Parameters
    ----------
    append:
        Commits events or raises StorageError having changed nothing; called in a thread.
    """

    def __init__(self, append: Callable[[Sequence[UsageEvent]], object]) -> None:
        self._append = append
        self._waiting: deque[UsageEvent] = deque()
        self._news = asyncio.Event()
        self._log = structlog.get_logger("serving.envoy")

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, events: Sequence[UsageEvent]) -> None:
        """Keep events until they are committed."""
        self._waiting.extend(events)
        lost = 0
        while len(self._waiting) > MOST_WAITING:
            self._waiting.popleft()
            lost += 1
        if lost:
            self._log.error("reported_usage_lost", events=lost)
        self._news.set()

    async def run(self) -> None:
        """Commit until cancelled; call :meth:`drain` afterwards."""
        pause = _FIRST_PAUSE_S
        while True:
            await self._news.wait()
            self._news.clear()
            while self._waiting:
                try:
                    await self._commit()
                    pause = _FIRST_PAUSE_S
                except FlyballError as error:
                    self._log.error("reported_usage_waits", error=str(error), retry_in=pause)
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, _LONGEST_PAUSE_S)

    async def drain(self) -> None:
        """One last try for what waits."""
        while self._waiting:
            try:
                await self._commit()
            except FlyballError as error:
                self._log.error("reported_usage_lost", events=len(self._waiting), error=str(error))
                return

    async def _commit(self) -> None:
        batch = [self._waiting[at] for at in range(min(_BATCH, len(self._waiting)))]
        await asyncio.to_thread(self._append, batch)
        # Only what was committed; the front may have been given up meanwhile.
        done = {event.event_id for event in batch}
        while self._waiting and self._waiting[0].event_id in done:
            self._waiting.popleft()
