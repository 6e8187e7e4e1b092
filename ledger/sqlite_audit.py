"""The audit trail in SQLite: who did what, when and why, and what it was before and after."""

from __future__ import annotations

from typing import Any

from ledger.people import AuditEntry
from ledger.sqlite_base import SqlitePart


class SqliteAudit(SqlitePart):
    """See :class:`ledger.store.AuditStore`."""

    def audit(self, *, target: str | None = None, limit: int = 100) -> list[AuditEntry]:
        """The latest acts (on ``target``), newest first."""
        condition, bindings = ("target = ?", (target,)) if target is not None else ("1", ())
        found = self.file.rows(
            "SELECT seq, at_us, author, action, target, reason, before, after FROM audit "
            f"WHERE {condition} ORDER BY seq DESC LIMIT ?",
            (*bindings, limit),
        )
        return [
            AuditEntry(
                entry_id=seq,
                at_us=at_us,
                author=author,
                action=action,
                target=target_,
                reason=reason,
                before=before,
                after=after,
            )
            for seq, at_us, author, action, target_, reason, before, after in found
        ]

    def append_audit(
        self,
        *,
        now_us: int,
        author: str,
        action: str,
        target: str,
        reason: str = "",
        before: str = "",
        after: str = "",
    ) -> None:
        """Record an act that other stores carried out."""
        with self.file.writing() as connection:
            append_audit(
                connection, now_us, author, action, target, reason=reason, before=before,
                after=after,
            )  # fmt: skip


def append_audit(
    connection: Any,
    at_us: int,
    author: str,
    action: str,
    target: str,
    *,
    reason: str = "",
    before: str = "",
    after: str = "",
) -> None:
    """Add an audit row inside the transaction that does what it tells of."""
    connection.execute(
        "INSERT INTO audit (at_us, author, action, target, reason, before, after) "
        "VALUES (?,?,?,?,?,?,?)",
        (at_us, author, action, target, reason, before, after),
    )
