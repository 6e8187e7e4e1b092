"""Notices in SQLite."""

from __future__ import annotations

from typing import Any

from flyball.errors import Conflict, NotFound
from ledger.notice import Notice, NoticeKind, Severity
from ledger.people import check_said
from ledger.sqlite_audit import append_audit
from ledger.sqlite_base import SqlitePart

_SELECT = (
    "SELECT n.seq, n.kind, n.severity, n.subject, n.message, n.author, n.at_us, e.ended_us, "
    "coalesce(e.author, ''), coalesce(e.reason, '') "
    "FROM notice n LEFT JOIN notice_end e ON e.notice_seq = n.seq"
)


class SqliteNotices(SqlitePart):
    """See :class:`ledger.store.NoticeStore`."""

    def raise_notice(
        self,
        kind: NoticeKind,
        severity: Severity,
        *,
        subject: str,
        message: str,
        author: str,
        now_us: int,
    ) -> Notice:
        """Tell people; the same open notice about the same subject is not raised twice."""
        with self.file.writing() as connection:
            found = connection.execute(
                f"{_SELECT} WHERE n.kind = ? AND n.subject = ? AND e.seq IS NULL "
                "ORDER BY n.seq DESC LIMIT 1",
                (kind.value, subject),
            ).fetchall()
            if not found:
                connection.execute(
                    "INSERT INTO notice (kind, severity, subject, message, author, at_us) "
                    "VALUES (?,?,?,?,?,?)",
                    (kind.value, severity.value, subject, message, author, now_us),
                )
                seq = connection.last_insert_rowid()
                found = connection.execute(f"{_SELECT} WHERE n.seq = ?", (seq,)).fetchall()
            return _notice(found[0])

    def end_notice(self, notice_id: int, *, author: str, reason: str, now_us: int) -> Notice:
        """Say that it is dealt with.

        Raises
        ------
        NotFound
            There is no such notice.
        Conflict
            Somebody has ended it before.
        """
        author, reason = check_said(author, field="author"), check_said(reason, field="reason")
        with self.file.writing() as connection:
            found = connection.execute(f"{_SELECT} WHERE n.seq = ?", (notice_id,)).fetchall()
            if not found:
                raise NotFound(f"There is no notice {notice_id}.", "`flyball notice` lists them.")
            before = _notice(found[0])
            if before.ended_us is not None:
                raise Conflict(f"{before.ended_by} has ended notice {notice_id} already.")
            connection.execute(
                "INSERT INTO notice_end (notice_seq, ended_us, author, reason) VALUES (?,?,?,?)",
                (notice_id, now_us, author, reason),
            )
            append_audit(
                connection, now_us, author, "notice.end", before.subject, reason=reason,
                before=before.message,
            )  # fmt: skip
            return _notice(
                connection.execute(f"{_SELECT} WHERE n.seq = ?", (notice_id,)).fetchall()[0]
            )

    def notices(self, *, open_only: bool = True, limit: int = 100) -> list[Notice]:
        """The latest notices, newest first."""
        condition = "WHERE e.seq IS NULL" if open_only else ""
        rows = self.file.rows(f"{_SELECT} {condition} ORDER BY n.seq DESC LIMIT ?", (limit,))
        return [_notice(row) for row in rows]


def _notice(row: tuple[Any, ...]) -> Notice:
    return Notice(
        notice_id=row[0],
        kind=row[1],
        severity=Severity(row[2]),
        subject=row[3],
        message=row[4],
        author=row[5],
        at_us=row[6],
        ended_us=row[7],
        ended_by=row[8],
        end_reason=row[9],
    )
