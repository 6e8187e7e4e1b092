"""Tickets and incidents in SQLite: versioned, so that "open at a time" stays answerable."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any

from ledger.records import ImportReport, Incident, Rejection, Severity, Ticket
from ledger.sqlite_base import SqlitePart, among, chunks, name_list

_TICKET = "ticket_id, tenant_id, opened_us, known_us, severity, closed_us"
_INCIDENT = "incident_id, from_us, known_us, scope_kind, scope, to_us"


class SqliteService(SqlitePart):
    """See :class:`ledger.store.ServiceStore`."""

    def import_tickets(self, records: Iterable[Ticket]) -> ImportReport:
        """Add tickets, or versions of them: closed, or of another severity.

        A ticket first heard of when closed, with the closing time as its known time (history), was
        open before: it gets two versions. The same id of another tenant is a conflict.
        """
        total = ImportReport()
        for chunk in chunks(records):
            with self.file.writing() as connection:
                total += _tickets(connection, chunk)
        return total

    def open_tickets(
        self, as_of_us: int, tenants: Collection[str] | None = None
    ) -> dict[str, list[Ticket]]:
        """Tenant to the tickets known to be open at ``as_of_us``."""
        condition, bindings = among("tenant_id", tenants)
        rows = self.file.rows(
            f"SELECT {_TICKET} FROM ticket WHERE {condition} AND opened_us <= ? AND known_us <= ? "
            "ORDER BY tenant_id, ticket_id, version",
            (*bindings, as_of_us, as_of_us),
        )
        latest = {row[0]: row for row in rows}
        found: dict[str, list[Ticket]] = {}
        for row in latest.values():
            if row[5] is None or row[5] > as_of_us:
                found.setdefault(row[1], []).append(_ticket(row))
        return found

    def tickets(self, tenant_id: str) -> list[Ticket]:
        """The latest version of each ticket of one tenant, oldest first."""
        rows = self.file.rows(
            f"SELECT {_TICKET} FROM ticket WHERE tenant_id = ? ORDER BY ticket_id, version",
            (tenant_id,),
        )
        latest = {row[0]: row for row in rows}
        return sorted(map(_ticket, latest.values()), key=lambda t: (t.opened_us, t.ticket_id))

    def import_incidents(self, records: Iterable[Incident]) -> ImportReport:
        """Add incidents, or versions of them (ended, or corrected)."""
        total = ImportReport()
        for chunk in chunks(records):
            with self.file.writing() as connection:
                total += _incidents(connection, chunk)
        return total

    def open_incidents(self, as_of_us: int) -> list[Incident]:
        """Incidents known to be under way at ``as_of_us``, bare scopes resolved."""
        rows = self.file.rows(
            f"SELECT {_INCIDENT} FROM incident WHERE from_us <= ? AND known_us <= ? "
            "ORDER BY incident_id, version",
            (as_of_us, as_of_us),
        )
        latest = {row[0]: row for row in rows}
        under_way = [row for row in latest.values() if row[5] is None or row[5] > as_of_us]
        kinds = self.scope_kinds(row[4] for row in under_way if not row[3])
        return [_incident((*row[:3], row[3] or kinds[row[4]], *row[4:])) for row in under_way]

    def scope_kinds(self, scopes: Iterable[str]) -> dict[str, str]:
        """What each bare scope name means: ``tenant`` if one has that id, else ``region``."""
        wanted = set(scopes)
        tenants = self.file.rows(
            "SELECT DISTINCT tenant_id FROM account "
            "WHERE tenant_id IN (SELECT value FROM json_each(?))",
            (name_list(wanted),),
        )
        known = {row[0] for row in tenants}
        return {scope: "tenant" if scope in known else "region" for scope in wanted}


def _ticket(row: tuple[Any, ...]) -> Ticket:
    return Ticket(
        ticket_id=row[0], tenant_id=row[1], opened_us=row[2], known_us=row[3],
        severity=Severity(row[4]), closed_us=row[5],
    )  # fmt: skip


def _incident(row: tuple[Any, ...]) -> Incident:
    return Incident(
        incident_id=row[0], from_us=row[1], known_us=row[2], scope_kind=row[3], scope=row[4],
        to_us=row[5],
    )  # fmt: skip


def _latest(connection: Any, table: str, key: str, names: Iterable[str]) -> dict[str, Any]:
    """Identity to its latest row, with the version first."""
    columns = _TICKET if table == "ticket" else _INCIDENT
    rows = connection.execute(
        f"SELECT version, {columns} FROM {table} "
        f"WHERE {key} IN (SELECT value FROM json_each(?)) ORDER BY {key}, version",
        (name_list(names),),
    )
    return {row[1]: row for row in rows}


def _tickets(connection: Any, chunk: list[tuple[int, Ticket]]) -> ImportReport:
    latest = _latest(connection, "ticket", "ticket_id", (t.ticket_id for _, t in chunk))
    inserts: list[tuple[Any, ...]] = []
    conflicts: list[Rejection] = []
    duplicates = 0
    for index, ticket in chunk:
        held = latest.get(ticket.ticket_id)
        if held is not None and held[2] != ticket.tenant_id:
            reason = f"ticket {ticket.ticket_id} belongs to another tenant already."
            conflicts.append(Rejection(index=index, code="conflict", reason=reason))
            continue
        content = (ticket.opened_us, ticket.severity.value, ticket.closed_us)
        # A row without a closing time, after one with it, is an older export: nothing new.
        if held is not None and (content == (held[3], held[5], held[6]) or _older(ticket, held)):
            duplicates += 1
            continue
        steps = [ticket]
        if held is None and ticket.closed_us is not None and ticket.known_us == ticket.closed_us:
            opened = replace(ticket, closed_us=None, known_us=ticket.opened_us)
            steps = [opened, ticket] if ticket.closed_us > ticket.opened_us else [ticket]
        version = held[0] if held is not None else 0
        for number, step in enumerate(steps, version + 1):
            row = (
                number, step.ticket_id, step.tenant_id, step.opened_us, step.known_us,
                step.severity.value, step.closed_us,
            )  # fmt: skip
            inserts.append(row)
            latest[ticket.ticket_id] = row
    connection.executemany(
        f"INSERT INTO ticket (version, {_TICKET}) VALUES (?,?,?,?,?,?,?)", inserts
    )
    return _report(len(chunk), duplicates, conflicts)


def _older(ticket: Ticket, held: tuple[Any, ...]) -> bool:
    return ticket.closed_us is None and held[6] is not None and ticket.known_us <= held[4]


def _incidents(connection: Any, chunk: list[tuple[int, Incident]]) -> ImportReport:
    latest = _latest(connection, "incident", "incident_id", (i.incident_id for _, i in chunk))
    inserts: list[tuple[Any, ...]] = []
    duplicates = 0
    for _, incident in chunk:
        held = latest.get(incident.incident_id)
        content = (incident.from_us, incident.scope_kind, incident.scope, incident.to_us)
        if held is not None:
            ended_before = incident.to_us is None and held[6] is not None
            older = ended_before and incident.known_us <= held[3]
            if older or content == (held[2], held[4], held[5], held[6]):
                duplicates += 1
                continue
        steps = [incident]
        if held is None and incident.to_us is not None and incident.known_us == incident.to_us:
            began = replace(incident, to_us=None, known_us=incident.from_us)
            steps = [began, incident] if incident.to_us > incident.from_us else [incident]
        version = held[0] if held is not None else 0
        for number, step in enumerate(steps, version + 1):
            row = (
                number, step.incident_id, step.from_us, step.known_us, step.scope_kind,
                step.scope, step.to_us,
            )  # fmt: skip
            inserts.append(row)
            latest[incident.incident_id] = row
    connection.executemany(
        f"INSERT INTO incident (version, {_INCIDENT}) VALUES (?,?,?,?,?,?,?)", inserts
    )
    return _report(len(chunk), duplicates, [])


def _report(total: int, duplicates: int, conflicts: list[Rejection]) -> ImportReport:
    return ImportReport(
        accepted=total - duplicates - len(conflicts),
        duplicates=duplicates,
        conflicts=tuple(conflicts),
    )
