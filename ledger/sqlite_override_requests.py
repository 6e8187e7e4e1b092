"""Overrides that wait for a second pair of eyes, in SQLite."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from flyball.errors import Conflict, NotFound, Refused
from flyball.override import OverrideKind
from ledger.canonical import canonical_json
from ledger.override_request import OverrideRequest, RequestState
from ledger.people import check_said
from ledger.sqlite_audit import append_audit
from ledger.sqlite_base import SqlitePart, among
from ledger.sqlite_overrides import check_override, insert_override

_SELECT = (
    "SELECT r.seq, r.tenant_id, r.kind, r.arm, r.reason, r.author, r.created_us, r.expires_us, "
    "v.approved, v.author, v.at_us, v.override_seq FROM override_request r "
    "LEFT JOIN override_verdict v ON v.request_seq = r.seq"
)


class SqliteOverrideRequests(SqlitePart):
    """See :class:`ledger.follow_up_store.OverrideRequestStore`."""

    def request_override(
        self,
        tenant_id: str,
        kind: OverrideKind,
        *,
        author: str,
        reason: str,
        now_us: int,
        expires_us: int,
        arm: int | None = None,
    ) -> OverrideRequest:
        """Ask for an override; nothing changes until another person approves.

        Raises
        ------
        InvalidInput
            See :class:`flyball.override.Override`.
        NotFound
            No tenant has this id.
        """
        with self.file.writing() as connection:
            check_override(
                connection, tenant_id, kind, author=author, reason=reason, now_us=now_us,
                expires_us=expires_us, arm=arm,
            )  # fmt: skip
            connection.execute(
                "INSERT INTO override_request (tenant_id, kind, arm, reason, author, created_us, "
                "expires_us) VALUES (?,?,?,?,?,?,?)",
                (tenant_id, kind.value, arm, reason, author, now_us, expires_us),
            )
            seq = connection.last_insert_rowid()
            append_audit(
                connection, now_us, author, "override.request", tenant_id, reason=reason,
                after=canonical_json({"kind": kind.value, "arm": arm, "expiresUs": expires_us}),
            )  # fmt: skip
            return _request(connection.execute(f"{_SELECT} WHERE r.seq = ?", (seq,)).fetchall()[0])

    def override_requests(
        self, tenants: Collection[str] | None = None, *, waiting_at_us: int | None = None
    ) -> list[OverrideRequest]:
        """Requests in the order they were made; only those that can still be approved."""
        condition, bindings = among("r.tenant_id", tenants)
        if waiting_at_us is not None:
            condition += " AND v.seq IS NULL AND r.expires_us > ?"
            bindings = (*bindings, waiting_at_us)
        rows = self.file.rows(f"{_SELECT} WHERE {condition} ORDER BY r.seq", bindings)
        return [_request(row) for row in rows]

    def decide_request(
        self, request_id: str, *, approved: bool, author: str, now_us: int, reason: str = ""
    ) -> OverrideRequest:
        """Approve or refuse; an approval makes the override in the same transaction.

        Raises
        ------
        NotFound
            There is no such request.
        Conflict
            It was decided already, or has expired.
        Refused
            ``author`` made the request: they may withdraw it, never approve it.
        """
        author = check_said(author, field="author")
        digits = request_id.removeprefix("r_")
        seq = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 18 else -1
        with self.file.writing() as connection:
            rows = connection.execute(f"{_SELECT} WHERE r.seq = ?", (seq,)).fetchall()
            if not rows:
                raise NotFound(f"There is no request {request_id[:64]!r}.", "See the approvals.")
            asked = _request(rows[0])
            _check_verdict(asked, approved=approved, author=author, now_us=now_us)
            made = None
            if approved:
                made = insert_override(
                    connection, asked.tenant_id, asked.kind, author=asked.author,
                    reason=asked.reason, now_us=now_us, expires_us=asked.expires_us, arm=asked.arm,
                )  # fmt: skip
            connection.execute(
                "INSERT INTO override_verdict (request_seq, tenant_id, approved, author, reason, "
                "at_us, override_seq) VALUES (?,?,?,?,?,?,?)",
                (
                    seq, asked.tenant_id, int(approved), author, reason, now_us,
                    None if made is None else int(made.override_id.removeprefix("o_")),
                ),
            )  # fmt: skip
            action = "override.approve" if approved else "override.refuse"
            append_audit(
                connection, now_us, author, action, asked.tenant_id, reason=reason,
                before=canonical_json({"request": asked.request_id, "author": asked.author}),
                after="" if made is None else canonical_json({"override": made.override_id}),
            )  # fmt: skip
            return _request(connection.execute(f"{_SELECT} WHERE r.seq = ?", (seq,)).fetchall()[0])


def _check_verdict(asked: OverrideRequest, *, approved: bool, author: str, now_us: int) -> None:
    if asked.state is not RequestState.PENDING:
        raise Conflict(f"The request was decided already by {asked.decided_by}.")
    if approved and asked.author == author:
        raise Refused(
            "One's own request needs another pair of eyes.", "Ask somebody else to approve it."
        )
    if approved and asked.expires_us <= now_us:
        raise Conflict("The request has expired.", "Ask again with a later end.")


def _request(row: tuple[Any, ...]) -> OverrideRequest:
    if row[8] is None:
        state = RequestState.PENDING
    elif row[8]:
        state = RequestState.APPROVED
    else:
        state = RequestState.WITHDRAWN if row[9] == row[5] else RequestState.REFUSED
    return OverrideRequest(
        request_id=f"r_{row[0]}", tenant_id=row[1], kind=OverrideKind(row[2]), arm=row[3],
        reason=row[4], author=row[5], created_us=row[6], expires_us=row[7], state=state,
        decided_by=row[9] or "", decided_us=row[10],
        override_id=None if row[11] is None else f"o_{row[11]}",
    )  # fmt: skip
