"""Whether a live event is in the history already though the event log does not know it.

The log holds no identities of bulk imports, and sealed ones only for a while. Where an import
covered the day of a live event, or the day is long past, the day's keys are looked at; on other
days this costs nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from flyball.home import Home
from flyball.instant import DAY_US
from flyball.usage import UsageEvent
from telemetry.history_files import IDENTITY_DAYS, HistoryFile, identity_relation, list_files
from telemetry.usage_identity import key_kind

Identity = tuple[str, str, str]

#: Days whose keys are kept in memory (8 bytes an event).
_DAYS_KEPT = 4


class ImportedEvents:
    """Looks up imported events of one home; made for one thread."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._version: list[tuple[int]] = []
        self._files: dict[int, list[HistoryFile]] = {}
        self._covered: set[int] = set()
        self._keys: dict[int, Any] = {}
        self._duckdb: Any = None

    def find(
        self, log: Any, events: Collection[tuple[str, UsageEvent]]
    ) -> dict[Identity, UsageEvent]:
        """Sealed events that have the identity of one of ``events`` and lie on its day.

        Parameters
        ----------
        log:
            The event log's connection, inside the transaction that will add the events.
        events:
            Tenant and event.
        """
        self._follow(log)
        if not self._files:
            return {}
        by_day: dict[int, list[Identity]] = {}
        for tenant_id, event in events:
            day = event.time_us // DAY_US
            long_past = day < event.arrived_us // DAY_US - (IDENTITY_DAYS - 1)
            if day in self._covered or (long_past and day in self._files):
                by_day.setdefault(day, []).append((tenant_id, event.source, event.event_id))
        found: dict[Identity, UsageEvent] = {}
        for day, identities in by_day.items():
            for event in self._of_day(day, identities):
                found[event.tenant_id, event.source, event.event_id] = event
        return found

    def _follow(self, log: Any) -> None:
        version = log.execute(
            "SELECT value FROM state WHERE name IN ('history', 'sealed') ORDER BY name"
        ).fetchall()
        if version == self._version:
            return
        self._version = version
        self._files, self._keys, self._covered = {}, {}, set()
        for file in list_files(log):
            self._files.setdefault(file.event_day, []).append(file)
            if file.origin.startswith("import-"):
                self._covered.add(file.event_day)

    def _of_day(self, day: int, identities: list[Identity]) -> Iterable[UsageEvent]:
        connection = self._connection()
        keys = self._day_keys(day)
        columns = list(zip(*identities, strict=True))
        asked = connection.execute(
            "SELECT hash(t, s, e) FROM (SELECT unnest(?::VARCHAR[]) AS t,"
            " unnest(?::VARCHAR[]) AS s, unnest(?::VARCHAR[]) AS e)",
            [list(column) for column in columns],
        ).fetchall()
        hits = [key for (key,) in asked if _holds(keys, key)]
        if not hits:
            return []
        relation = identity_relation(self._home, self._files[day], key_kind(connection))
        rows = connection.execute(
            "SELECT tenant_id, source, event_id, time_us, meter, quantity, endpoint"
            f" FROM ({relation}) WHERE key IN ({', '.join(map(str, set(hits)))})"
        ).fetchall()
        # The arrival does not matter here; one that differs from the time marks it as given.
        return [
            UsageEvent(
                tenant_id=row[0],
                source=row[1],
                event_id=row[2],
                time_us=row[3],
                arrived_us=row[3] + 1,
                meter=row[4],
                quantity=row[5],
                endpoint=row[6],
            )
            for row in rows
        ]

    def _day_keys(self, day: int) -> Any:
        if day not in self._keys:
            while len(self._keys) >= _DAYS_KEPT:
                self._keys.pop(next(iter(self._keys)))
            connection = self._connection()
            relation = identity_relation(self._home, self._files[day], key_kind(connection))
            table = connection.sql(f"SELECT key FROM ({relation}) ORDER BY key").to_arrow_table()
            self._keys[day] = table.column("key").to_numpy()
        return self._keys[day]

    def _connection(self) -> Any:
        if self._duckdb is None:
            import duckdb  # a server without imports never needs it here

            self._duckdb = duckdb.connect(config={"threads": 1})
        return self._duckdb


def _holds(keys: Any, key: int) -> bool:
    import numpy as np  # nor does it need this: a worker is 12 MB smaller without

    place = int(np.searchsorted(keys, np.uint64(key)))
    return place < len(keys) and int(keys[place]) == key
