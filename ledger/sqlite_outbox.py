"""The outbox in SQLite: bounded, and each message delivered at least once or given up in the open.

Whoever enqueues and whoever sends may be different processes. A message that is in is durable.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ledger.outbox import Message, OutboxCounts
from ledger.sqlite_base import SqlitePart, name_list

#: Waiting messages kept; beyond it the oldest are given up, because news matter more.
MOST_WAITING = 10_000

_WAITING = "delivered_us IS NULL AND given_up_us IS NULL"
_FIELDS = "message_id, type, body, created_us, attempts, due_us, last_error"


class SqliteOutbox(SqlitePart):
    """See :class:`ledger.store.OutboxStore`."""

    def enqueue(self, messages: Iterable[Message], *, now_us: int, most: int = MOST_WAITING) -> int:
        """Keep messages for delivery; one whose id is there already is left alone.

        Parameters
        ----------
        most:
            Waiting messages kept at most (≥ 1); the oldest beyond are given up.

        Returns
        -------
        How many were new.
        """
        rows = [(m.message_id, m.type, m.body, m.created_us, m.due_us or now_us) for m in messages]
        if not rows:
            return 0
        with self.file.writing() as connection:
            before = connection.total_changes()
            connection.executemany(
                "INSERT INTO webhook_message (message_id, type, body, created_us, due_us) "
                "VALUES (?,?,?,?,?) ON CONFLICT (message_id) DO NOTHING",
                rows,
            )
            added = int(connection.total_changes() - before)
            connection.execute(
                "UPDATE webhook_message SET given_up_us = ?, last_error = 'the outbox is full' "
                f"WHERE {_WAITING} AND seq <= (SELECT seq FROM webhook_message WHERE {_WAITING} "
                "ORDER BY seq DESC LIMIT 1 OFFSET ?)",
                (now_us, most),
            )
        return added

    def due_messages(self, now_us: int, *, limit: int = 100) -> list[Message]:
        """Waiting messages whose time has come, oldest first."""
        rows = self.file.rows(
            f"SELECT {_FIELDS} FROM webhook_message WHERE {_WAITING} AND due_us <= ? "
            "ORDER BY due_us, seq LIMIT ?",
            (now_us, limit),
        )
        return [
            Message(
                message_id=row[0], type=row[1], body=row[2], created_us=row[3], attempts=row[4],
                due_us=row[5], last_error=row[6],
            )
            for row in rows
        ]  # fmt: skip

    def mark_delivered(self, message_ids: Collection[str], *, now_us: int) -> None:
        """Note that they were taken."""
        with self.file.writing() as connection:
            connection.execute(
                "UPDATE webhook_message SET delivered_us = ?, attempts = attempts + 1, "
                "last_error = '' WHERE message_id IN (SELECT value FROM json_each(?))",
                (now_us, name_list(message_ids)),
            )

    def mark_failed(
        self, message_id: str, *, error: str, now_us: int, retry_us: int | None
    ) -> None:
        """Note a failed attempt; ``retry_us`` None gives the message up."""
        with self.file.writing() as connection:
            connection.execute(
                "UPDATE webhook_message SET attempts = attempts + 1, last_error = ?, "
                "due_us = coalesce(?, due_us), given_up_us = iif(? IS NULL, ?, NULL) "
                f"WHERE message_id = ? AND {_WAITING}",
                (error[:200], retry_us, retry_us, now_us, message_id),
            )

    def forget_messages(self, before_us: int) -> None:
        """Remove messages that were made before then and no longer wait."""
        with self.file.writing() as connection:
            connection.execute(
                f"DELETE FROM webhook_message WHERE created_us < ? AND NOT ({_WAITING})",
                (before_us,),
            )

    def outbox_counts(self) -> OutboxCounts:
        """How many wait, were delivered, and were given up, of those not yet forgotten."""
        row = self.file.rows(
            f"SELECT count(*) FILTER (WHERE {_WAITING}), count(delivered_us), "
            f"count(given_up_us), min(created_us) FILTER (WHERE {_WAITING}), "
            "coalesce((SELECT last_error FROM webhook_message WHERE last_error <> '' "
            "AND delivered_us IS NULL ORDER BY seq DESC LIMIT 1), '') FROM webhook_message"
        )[0]
        return OutboxCounts(
            waiting=row[0], delivered=row[1], given_up=row[2], oldest_us=row[3], last_error=row[4]
        )
