"""An event log in memory: the contract without the disk, for tests and trials."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from flyball.meter import STANDARD_METERS, Meter
from flyball.usage import UsageEvent
from telemetry.store import Changes, KnownTenant, Outcome, Receipt, Resolve, same_content

_Identity = tuple[str, str, str]


class MemoryEventStore:
    """``EventStore`` that forgets everything when it goes."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._events: dict[_Identity, UsageEvent] = {}
        self._pending: dict[_Identity, UsageEvent] = {}
        self._conflicts: dict[UsageEvent, None] = {}
        self._meters: dict[str, Meter] = dict(STANDARD_METERS)

    def append(self, events: Sequence[UsageEvent], resolve: Resolve) -> Receipt:
        """See :class:`telemetry.store.EventStore`."""
        with self._lock:
            return Receipt(tuple(self._take(e, resolve(e.tenant_id)) for e in events))

    def release(self, resolve: Resolve, names: Iterable[str] | None = None) -> Receipt:
        """See :class:`telemetry.store.EventStore`."""
        outcomes: list[Outcome] = []
        with self._lock:
            for name in sorted(self.pending() if names is None else set(names)):
                tenant = resolve(name)
                if tenant is not None:
                    for key in [key for key in self._pending if key[0] == name]:
                        outcomes.append(self._take(self._pending[key], tenant))
                        if outcomes[-1] is not Outcome.BEFORE_ACCOUNT:
                            del self._pending[key]
        return Receipt(tuple(outcomes))

    def oldest_pending_us(self, names: Iterable[str]) -> int | None:
        """See :class:`telemetry.store.EventStore`."""
        wanted = set(names)
        with self._lock:
            waiting = [e.time_us for (name, *_), e in self._pending.items() if name in wanted]
        return min(waiting, default=None)

    def changes_since(self, cursor: int) -> Changes:
        """See :class:`telemetry.store.EventStore`."""
        with self._lock:
            fresh = list(self._events.values())[cursor:]
            return Changes(tuple(sorted({e.tenant_id for e in fresh})), cursor + len(fresh))

    def events_since(self, cursor: int, *, limit: int = 1_000_000) -> list[UsageEvent]:
        """See :class:`telemetry.store.EventStore`."""
        with self._lock:
            return list(self._events.values())[cursor : cursor + limit]

    def pending(self) -> Mapping[str, int]:
        """See :class:`telemetry.store.EventStore`."""
        counts: dict[str, int] = {}
        with self._lock:
            for name, _, _ in self._pending:
                counts[name] = counts.get(name, 0) + 1
        return counts

    def conflicts(self, *, limit: int = 100) -> list[UsageEvent]:
        """See :class:`telemetry.store.EventStore`."""
        with self._lock:
            return list(self._conflicts)[:limit]

    def conflict_count(self) -> int:
        """See :class:`telemetry.store.EventStore`."""
        return len(self._conflicts)

    def declare_meters(self, meters: Iterable[Meter]) -> None:
        """See :class:`telemetry.store.EventStore`."""
        with self._lock:
            self._meters.update((meter.name, meter) for meter in meters)

    def meters(self) -> dict[str, Meter]:
        """See :class:`telemetry.store.EventStore`."""
        return dict(self._meters)

    def close(self) -> None:
        """See :class:`telemetry.store.EventStore`."""

    def _take(self, event: UsageEvent, tenant: KnownTenant | None) -> Outcome:
        if tenant is None:
            return self._put(self._pending, event, Outcome.PENDING, Outcome.PENDING)
        if event.time_us < tenant.created_us:
            return Outcome.BEFORE_ACCOUNT
        named = replace(event, tenant_id=tenant.tenant_id)
        return self._put(self._events, named, Outcome.ACCEPTED, Outcome.DUPLICATE)

    def _put(
        self,
        place: dict[_Identity, UsageEvent],
        event: UsageEvent,
        fresh: Outcome,
        repeated: Outcome,
    ) -> Outcome:
        kept = place.setdefault((event.tenant_id, event.source, event.event_id), event)
        if kept is event:
            return fresh
        if same_content(kept, event):
            return repeated
        self._conflicts.setdefault(event)
        return Outcome.CONFLICT
