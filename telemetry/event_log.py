"""The event log inside one write transaction, shared by live writes, releases and imports."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from flyball.usage import UsageEvent
from telemetry.store import KnownTenant, Outcome, same_content

#: ``tenant_id, source, event_id, time_us, arrived_us, meter, quantity, endpoint``
EventRow = tuple[str, str, str, int, int, str, float, str]

Placed = tuple[UsageEvent, KnownTenant | None]

_INSERT = "INSERT INTO event VALUES (?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING"
_FIND = """SELECT tenant_id, source, event_id, time_us, arrived_us, meter, quantity, endpoint
FROM event WHERE tenant_id = ? AND source = ? AND event_id = ?"""
_KEEP_CONFLICT = "INSERT INTO conflict VALUES (?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING"
_KEEP_PENDING = "INSERT INTO pending VALUES (?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING"
_FIND_PENDING = """SELECT name, source, event_id, time_us, arrived_us, meter, quantity, endpoint
FROM pending WHERE name = ? AND source = ? AND event_id = ?"""


class OpenLog:
    """The log inside one write transaction: sequence numbers commit in the order they are given."""

    def __init__(
        self,
        connection: Any,
        *,
        origin: str = "live",
        imported: Mapping[tuple[str, str, str], UsageEvent] = MappingProxyType({}),
    ) -> None:
        self._connection = connection
        self._origin = origin
        self._imported = imported
        self._execute = connection.cursor().execute
        self._sequence = next(
            iter(self._execute("SELECT value FROM state WHERE name = 'sequence'"))
        )[0]

    def take(self, placed: Placed) -> Outcome:
        """Put one event where it belongs."""
        event, tenant = placed
        if tenant is None:
            return self.keep_pending(row_of(event.tenant_id, event))
        if event.time_us < tenant.created_us:
            return Outcome.BEFORE_ACCOUNT
        row = row_of(tenant.tenant_id, event)
        known = self._imported.get(row[:3])
        if known is not None:
            return self._repeated(known, event, row)
        self._execute(_INSERT, (*row, self._sequence + 1))
        if self._connection.changes() == 1:
            self._sequence += 1
            return Outcome.ACCEPTED
        kept = event_of(next(iter(self._execute(_FIND, row[:3]))))
        return self._repeated(kept, event, row)

    def _repeated(self, kept: UsageEvent, event: UsageEvent, row: EventRow) -> Outcome:
        if same_content(kept, event):
            return Outcome.DUPLICATE
        self.keep_conflict(row)
        return Outcome.CONFLICT

    def keep_conflict(self, row: EventRow) -> None:
        """Keep an event that contradicts another, for inspection."""
        self._execute(_KEEP_CONFLICT, (*row, self._origin))

    def finish(self) -> None:
        """Note the newest sequence number; call before the commit."""
        self._execute("UPDATE state SET value = ? WHERE name = 'sequence'", (self._sequence,))

    def keep_pending(self, row: EventRow) -> Outcome:
        """Keep an event whose first field is a name that no account has yet."""
        self._execute(_KEEP_PENDING, row)
        if self._connection.changes() == 1:
            return Outcome.PENDING
        kept = event_of(next(iter(self._execute(_FIND_PENDING, row[:3]))))
        if same_content(kept, event_of(row)):
            return Outcome.PENDING
        self.keep_conflict(row)
        return Outcome.CONFLICT


def row_of(tenant_id: str, event: UsageEvent) -> EventRow:
    """``event`` as a row of the log, under its tenant's id."""
    return (
        tenant_id,
        event.source,
        event.event_id,
        event.time_us,
        event.arrived_us,
        event.meter,
        event.quantity,
        event.endpoint,
    )


def event_of(row: tuple[Any, ...]) -> UsageEvent:
    """The event in a row of the log."""
    return UsageEvent(
        tenant_id=row[0],
        source=row[1],
        event_id=row[2],
        time_us=row[3],
        arrived_us=row[4],
        meter=row[5],
        quantity=row[6],
        endpoint=row[7],
    )
