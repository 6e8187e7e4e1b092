"""The kill switch's history in SQLite; whether it is on, the file alone decides."""

from __future__ import annotations

from ledger.canonical import canonical_json
from ledger.sqlite_audit import append_audit
from ledger.sqlite_base import SqlitePart


class SqliteKills(SqlitePart):
    """See :class:`ledger.store.KillLog`."""

    def record_kill(self, *, engaged: bool, author: str, reason: str, now_us: int) -> None:
        """Log that the kill switch went on or off."""
        with self.file.writing() as connection:
            connection.execute(
                "INSERT INTO kill_event (engaged, at_us, author, reason) VALUES (?,?,?,?)",
                (engaged, now_us, author, reason),
            )
            append_audit(
                connection, now_us, author, "kill.on" if engaged else "kill.off", "home",
                reason=reason, before=canonical_json(not engaged), after=canonical_json(engaged),
            )  # fmt: skip
