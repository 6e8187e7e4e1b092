"""Plans, accounts and the other small tables of an import directory, into the ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from flyball.errors import InvalidInput
from flyball.meter import meters_from
from ledger import rows
from ledger.records import ImportReport
from ledger.sqlite_ledger import SqliteLedger
from telemetry.bad_line import BadLine
from telemetry.files import Row, read_document, read_rows
from telemetry.rejects_file import RejectsFile
from telemetry.sqlite_store import SqliteEventStore
from telemetry.usage_counts import RowCounts

#: Settings that come from import files say so.
AUTHOR = "import"


class Table(NamedTuple):
    """A small table: how a row becomes a record, and how records are stored."""

    name: str
    parse: Callable[[Mapping[str, object]], Any]
    store: Callable[[SqliteLedger, Iterable[Any], int], ImportReport]


#: In the order in which one needs the other: a bare incident scope may name a tenant.
TABLES = (
    Table("accounts", rows.parse_account, lambda led, r, now: led.import_accounts(r, now_us=now)),
    Table("subscriptions", rows.parse_subscription, lambda led, r, _: led.import_subscriptions(r)),
    Table("decisions", rows.parse_decision, lambda led, r, _: led.import_decisions(r)),
    Table("interventions", rows.parse_intervention, lambda led, r, _: led.import_interventions(r)),
    Table("tickets", rows.parse_ticket, lambda led, r, _: led.import_tickets(r)),
    Table("incidents", rows.parse_incident, lambda led, r, _: led.import_incidents(r)),
)


class TableImport:
    """Reads small tables into one ledger; rows that cannot go in are named in ``rejects``."""

    def __init__(self, ledger: SqliteLedger, rejects: RejectsFile, now_us: int) -> None:
        self._ledger = ledger
        self._rejects = rejects
        self._now_us = now_us

    def table(
        self, path: Path, label: str, table: Table, seen: Callable[[], None] = lambda: None
    ) -> RowCounts:
        """Import one file of a table; ``seen`` is called once a row."""
        counts = RowCounts()
        given: list[Row] = []
        records = self._records(path, label, table, counts, given, seen)
        report = table.store(self._ledger, records, self._now_us)
        self._count(report, label, counts, [(row.line, row.values) for row in given])
        return counts

    def plans(self, path: Path, label: str) -> RowCounts:
        """Import ``plans.json``: a list of plans, or an object with that list as ``plans``."""
        counts = RowCounts()
        entries = self._entries(path, label, "plans", counts)
        good, given = [], []
        for number, entry in enumerate(entries, start=1):
            try:
                good.append(rows.parse_plan(entry))
                given.append((number, entry))
            except InvalidInput as error:
                self.refuse(counts, label, number, error, entry)
        report = self._ledger.import_plans(good, now_us=self._now_us)
        counts.read += len(good)
        self._count(report, label, counts, given)
        return counts

    def meters(self, path: Path, label: str, store: SqliteEventStore) -> RowCounts:
        """Declare the meters of ``meters.json``: a list, or an object with it as ``meters``."""
        counts = RowCounts()
        known = store.meters()
        for number, entry in enumerate(self._entries(path, label, "meters", counts), start=1):
            try:
                if not isinstance(entry, Mapping):
                    raise InvalidInput("A meter must be a JSON object.", code="bad_meter")
                meter = meters_from([entry])[str(entry.get("name"))]
            except InvalidInput as error:
                self.refuse(counts, label, number, error, entry)
                continue
            counts.read += 1
            if known.get(meter.name) == meter:
                counts.duplicates += 1
            else:
                store.declare_meters([meter])
                counts.accepted += 1
        return counts

    def economics(self, path: Path, label: str) -> RowCounts:
        """Store ``economics.json`` as a setting."""
        from flyball.economics import economics_from

        counts = RowCounts()
        try:
            content = read_document(path)
            economics_from(content)
            put = self._ledger.put_setting(
                "economics", content, author=AUTHOR, now_us=self._now_us, reason=label
            )
        except InvalidInput as error:
            self.refuse(counts, label, 0, error, "")
            return counts
        counts.read = 1
        counts.accepted, counts.duplicates = int(put.created), int(not put.created)
        return counts

    def refuse(
        self, counts: RowCounts, label: str, line: int, error: InvalidInput, row: object
    ) -> None:
        """Count a refused row and name it in the rejects file."""
        counts.reject(error.code)
        self._rejects.add(label, line, error.code, str(error), row)

    def _entries(self, path: Path, label: str, key: str, counts: RowCounts) -> list[Any]:
        try:
            content = read_document(path)
            entries = content.get(key) if isinstance(content, Mapping) else content
            if not isinstance(entries, list):
                raise InvalidInput(f"{path.name} must hold a list of {key}.", code="bad_json")
        except InvalidInput as error:
            self.refuse(counts, label, 0, error, "")
            return []
        return entries

    def _records(
        self,
        path: Path,
        label: str,
        table: Table,
        counts: RowCounts,
        given: list[Row],
        seen: Callable[[], None],
    ) -> Iterator[Any]:
        try:
            for row in read_rows(path):
                seen()
                if isinstance(row, BadLine):
                    counts.reject(row.code)
                    self._rejects.add(label, row.line, row.code, row.reason, row.text)
                    continue
                try:
                    record = table.parse(row.values)
                except InvalidInput as error:
                    self.refuse(counts, label, row.line, error, row.values)
                    continue
                counts.read += 1
                given.append(row)
                yield record
        except InvalidInput as error:  # the rest of the file cannot be read
            self.refuse(counts, label, 0, error, "")

    def _count(
        self, report: ImportReport, label: str, counts: RowCounts, given: list[tuple[int, Any]]
    ) -> None:
        counts.accepted += report.accepted
        counts.duplicates += report.duplicates
        counts.conflicts += len(report.conflicts)
        for refused in (*report.conflicts, *report.rejections):
            line, row = given[refused.index]
            self._rejects.add(label, line, refused.code, refused.reason, row)
        for refused in report.rejections:
            counts.rejected[refused.code] += 1
