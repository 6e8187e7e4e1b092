"""Subscriptions and interventions in SQLite."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ledger.canonical import fingerprint
from ledger.records import ImportReport, Intervention, Rejection, Subscription, SubscriptionKind
from ledger.sqlite_base import SqlitePart, chunks, name_list

_SUBSCRIPTION = ("subscription_id", "tenant_id", "time_us", "known_us", "kind", "plan", "mrr_minor")
_INSERT_SUBSCRIPTION = (
    f"INSERT INTO subscription ({', '.join(_SUBSCRIPTION)}) VALUES (?,?,?,?,?,?,?)"
)


class SqliteCommercial(SqlitePart):
    """See :class:`ledger.store.CommercialStore`."""

    def import_subscriptions(self, records: Iterable[Subscription]) -> ImportReport:
        """Add many at once; the same id with other content is refused as a conflict."""
        total = ImportReport()
        for chunk in chunks(records):
            with self.file.writing() as connection:
                total += _subscriptions(connection, chunk)
        return total

    def subscriptions(self, tenant_id: str) -> list[Subscription]:
        """Everything that happened to one tenant's subscription, oldest first."""
        rows = self.file.rows(
            f"SELECT {', '.join(_SUBSCRIPTION)} FROM subscription WHERE tenant_id = ? "
            "ORDER BY time_us, subscription_id",
            (tenant_id,),
        )
        return [
            Subscription(
                subscription_id=row[0], tenant_id=row[1], time_us=row[2], known_us=row[3],
                kind=SubscriptionKind(row[4]), plan=row[5], mrr_minor=row[6],
            )
            for row in rows
        ]  # fmt: skip

    def import_interventions(self, records: Iterable[Intervention]) -> ImportReport:
        """Add many at once; equal rows are one intervention."""
        accepted = total = 0
        for chunk in chunks(records):
            with self.file.writing() as connection:
                accepted += insert_interventions(connection, [record for _, record in chunk])
                total += len(chunk)
        return ImportReport(accepted=accepted, duplicates=total - accepted)

    def interventions(self, tenant_id: str) -> list[Intervention]:
        """What people did for one tenant, oldest first."""
        rows = self.file.rows(
            "SELECT tenant_id, time_us, known_us, kind, note FROM intervention "
            "WHERE tenant_id = ? ORDER BY time_us, seq",
            (tenant_id,),
        )
        return [
            Intervention(
                tenant_id=row[0], time_us=row[1], known_us=row[2], kind=row[3], note=row[4]
            )
            for row in rows
        ]


def insert_interventions(connection: Any, records: Iterable[Intervention]) -> int:
    """Add them inside the caller's transaction; how many were not there yet."""
    before: int = connection.total_changes()
    connection.executemany(
        "INSERT INTO intervention (fingerprint, tenant_id, time_us, known_us, kind, note) "
        "VALUES (?,?,?,?,?,?) ON CONFLICT DO NOTHING",
        [_intervention(record) for record in records],
    )
    return int(connection.total_changes()) - before


def _intervention(record: Intervention) -> tuple[Any, ...]:
    identity = fingerprint(record.tenant_id, record.time_us, record.kind, record.note)
    return (
        identity, record.tenant_id, record.time_us, record.known_us, record.kind, record.note,
    )  # fmt: skip


def _subscriptions(connection: Any, chunk: list[tuple[int, Subscription]]) -> ImportReport:
    held: dict[str, tuple[Any, ...]] = {
        row[0]: row
        for row in connection.execute(
            "SELECT subscription_id, tenant_id, time_us, kind, plan, mrr_minor FROM subscription "
            "WHERE subscription_id IN (SELECT value FROM json_each(?))",
            (name_list(record.subscription_id for _, record in chunk),),
        )
    }
    inserts: list[tuple[Any, ...]] = []
    conflicts: list[Rejection] = []
    duplicates = 0
    for index, record in chunk:
        content = (
            record.subscription_id, record.tenant_id, record.time_us, record.kind.value,
            record.plan, record.mrr_minor,
        )  # fmt: skip
        known = held.setdefault(record.subscription_id, content)
        if known is content:
            inserts.append((*content[:3], record.known_us, *content[3:]))
        elif known == content:
            duplicates += 1
        else:
            reason = f"subscription {record.subscription_id} exists already with other content."
            conflicts.append(Rejection(index=index, code="conflict", reason=reason))
    connection.executemany(_INSERT_SUBSCRIPTION, inserts)
    return ImportReport(accepted=len(inserts), duplicates=duplicates, conflicts=tuple(conflicts))
