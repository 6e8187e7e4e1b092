"""The embedded event log: SQLite, one row an event, one flush a group of batches."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from flyball.home import Home
from flyball.meter import Meter
from flyball.usage import UsageEvent
from telemetry.database import open_database, storage_errors, transaction
from telemetry.event_log import OpenLog, Placed, event_of
from telemetry.imported_events import ImportedEvents
from telemetry.meter_table import read_meters, write_meters
from telemetry.store import Changes, KnownTenant, Outcome, Receipt, Resolve
from telemetry.writer import GroupCommit

#: Pending events moved by one transaction of ``release``.
_RELEASE_CHUNK = 20_000


class SqliteEventStore:
    """``EventStore`` on ``events.sqlite``; several processes may open the same file.

    Parameters
    ----------
    path:
        The SQLite file, ``events.sqlite`` of a home; created if missing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writing = open_database(path)
        self._reading = open_database(path)
        self._read_lock = threading.Lock()
        self._imported = ImportedEvents(Home(path.parent))
        self._imported_at_release = ImportedEvents(Home(path.parent))
        self._writer: GroupCommit[Sequence[Placed], Receipt] = GroupCommit(
            self._commit, name="event-log-writer"
        )

    def submit(self, events: Sequence[UsageEvent], resolve: Resolve) -> Future[Receipt]:
        """Like :meth:`append`, without waiting: the future resolves after the durable commit."""
        names = {event.tenant_id for event in events}
        tenants = {name: resolve(name) for name in names}
        return self._writer.submit([(event, tenants[event.tenant_id]) for event in events])

    def append(self, events: Sequence[UsageEvent], resolve: Resolve) -> Receipt:
        """See :class:`telemetry.store.EventStore`."""
        if not events:
            return Receipt(())
        return self.submit(events, resolve).result()

    def release(self, resolve: Resolve, names: Iterable[str] | None = None) -> Receipt:
        """See :class:`telemetry.store.EventStore`."""
        outcomes: list[Outcome] = []
        for name in sorted(self.pending() if names is None else set(names)):
            tenant = resolve(name)
            if tenant is not None:
                outcomes += self._release_one(name, tenant)
        return Receipt(tuple(outcomes))

    def oldest_pending_us(self, names: Iterable[str]) -> int | None:
        """See :class:`telemetry.store.EventStore`."""
        found = [
            self._read("SELECT min(time_us) FROM pending WHERE name = ?", (name,))[0][0]
            for name in names
        ]
        return min((time_us for time_us in found if time_us is not None), default=None)

    def changes_since(self, cursor: int) -> Changes:
        """See :class:`telemetry.store.EventStore`."""
        rows = self._read(
            "SELECT tenant_id, max(sequence) FROM event WHERE sequence > ? GROUP BY tenant_id",
            (cursor,),
        )
        newest = max((int(row[1]) for row in rows), default=cursor)
        return Changes(tuple(sorted(str(row[0]) for row in rows)), newest)

    def events_since(self, cursor: int, *, limit: int = 1_000_000) -> list[UsageEvent]:
        """See :class:`telemetry.store.EventStore`."""
        rows = self._read(
            "SELECT tenant_id, source, event_id, time_us, arrived_us, meter, quantity, endpoint"
            " FROM event WHERE sequence > ? ORDER BY sequence LIMIT ?",
            (cursor, limit),
        )
        return [event_of(row) for row in rows]

    def pending(self) -> Mapping[str, int]:
        """See :class:`telemetry.store.EventStore`."""
        return dict(self._read("SELECT name, count(*) FROM pending GROUP BY name"))

    def conflicts(self, *, limit: int = 100) -> list[UsageEvent]:
        """See :class:`telemetry.store.EventStore`."""
        rows = self._read(
            "SELECT tenant_id, source, event_id, time_us, arrived_us, meter, quantity, endpoint"
            " FROM conflict LIMIT ?",
            (limit,),
        )
        return [event_of(row) for row in rows]

    def conflict_count(self) -> int:
        """See :class:`telemetry.store.EventStore`."""
        return int(self._read("SELECT count(*) FROM conflict")[0][0])

    def declare_meters(self, meters: Iterable[Meter]) -> None:
        """See :class:`telemetry.store.EventStore`."""
        with self._read_lock, storage_errors(self._path), transaction(self._reading):
            write_meters(self._reading, meters)

    def meters(self) -> dict[str, Meter]:
        """See :class:`telemetry.store.EventStore`."""
        with self._read_lock, storage_errors(self._path):
            return read_meters(self._reading)

    def close(self) -> None:
        """See :class:`telemetry.store.EventStore`."""
        self._writer.close()
        with self._read_lock, storage_errors(self._path):
            self._reading.close()
            self._writing.close()

    def _read(self, sql: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        with self._read_lock, storage_errors(self._path):
            return list(self._reading.execute(sql, values))

    def _commit(self, batches: Sequence[Sequence[Placed]]) -> list[Receipt]:
        with storage_errors(self._path), transaction(self._writing):
            placed = [(t.tenant_id, event) for batch in batches for event, t in batch if t]
            log = OpenLog(self._writing, imported=self._imported.find(self._writing, placed))
            receipts = [Receipt(tuple(map(log.take, batch))) for batch in batches]
            log.finish()
        return receipts

    def _release_one(self, name: str, tenant: KnownTenant) -> list[Outcome]:
        outcomes: list[Outcome] = []
        connection = self._reading
        after = ("", "")
        while True:
            with self._read_lock, storage_errors(self._path), transaction(connection):
                rows = list(connection.execute(_PENDING_OF, (name, *after, _RELEASE_CHUNK)))
                events = [event_of(row) for row in rows]
                found = self._imported_at_release.find(
                    connection, [(tenant.tenant_id, event) for event in events]
                )
                log = OpenLog(connection, imported=found)
                taken = [log.take((event, tenant)) for event in events]
                connection.executemany(
                    "DELETE FROM pending WHERE name = ? AND source = ? AND event_id = ?",
                    [
                        row[:3]
                        for row, outcome in zip(rows, taken, strict=True)
                        if outcome is not Outcome.BEFORE_ACCOUNT
                    ],
                )
                log.finish()
            outcomes += taken
            if len(rows) < _RELEASE_CHUNK:
                return outcomes
            after = rows[-1][1:3]


_PENDING_OF = """SELECT name, source, event_id, time_us, arrived_us, meter, quantity, endpoint
FROM pending WHERE name = ? AND (source, event_id) > (?, ?)
ORDER BY source, event_id LIMIT ?"""
