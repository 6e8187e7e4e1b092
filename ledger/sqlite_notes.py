"""Notes on tenants and logged contacts, in SQLite."""

from __future__ import annotations

from flyball.errors import NotFound
from ledger.canonical import canonical_json
from ledger.follow_up import Note
from ledger.prose import check_prose
from ledger.records import Intervention
from ledger.sqlite_audit import append_audit
from ledger.sqlite_base import SqlitePart
from ledger.sqlite_commercial import insert_interventions


class SqliteNotes(SqlitePart):
    """See :class:`ledger.follow_up_store.NoteStore`."""

    def add_note(self, tenant_id: str, text: str, *, author: str, now_us: int) -> Note:
        """Write something down; raises InvalidInput for what is blank, too long or hidden."""
        text = check_prose(text, field="text")
        with self.file.writing() as connection:
            connection.execute(
                "INSERT INTO note (tenant_id, at_us, author, text) VALUES (?,?,?,?)",
                (tenant_id, now_us, author, text),
            )
            seq = int(connection.last_insert_rowid())
            append_audit(connection, now_us, author, "note.add", tenant_id)
        return Note(note_id=seq, tenant_id=tenant_id, at_us=now_us, author=author, text=text)

    def withdraw_note(
        self, tenant_id: str, note_id: int, *, author: str, now_us: int, others: bool = False
    ) -> None:
        """Take a note of one's own back (of anybody's where ``others``); it is no longer shown.

        Raises
        ------
        NotFound
            This tenant has no such note, it is somebody else's, or it was taken back already.
        """
        with self.file.writing() as connection:
            found = connection.execute(
                "SELECT author FROM note_now WHERE seq = ? AND tenant_id = ?", (note_id, tenant_id)
            ).fetchall()
            if not found or (found[0][0] != author and not others):
                raise NotFound("There is no such note of yours.", "Go back to the account.")
            connection.execute(
                "INSERT INTO note_withdrawal (note_seq, tenant_id, at_us, author) VALUES (?,?,?,?)",
                (note_id, tenant_id, now_us, author),
            )
            append_audit(connection, now_us, author, "note.withdraw", tenant_id)

    def notes(self, tenant_id: str, *, most: int = 20) -> list[Note]:
        """The latest notes that nobody has taken back, newest first."""
        rows = self.file.rows(
            "SELECT seq, tenant_id, at_us, author, text FROM note_now WHERE tenant_id = ? "
            "ORDER BY at_us DESC, seq DESC LIMIT ?",
            (tenant_id, most),
        )
        return [
            Note(note_id=row[0], tenant_id=row[1], at_us=row[2], author=row[3], text=row[4])
            for row in rows
        ]

    def log_intervention(self, record: Intervention, *, author: str) -> bool:
        """Record a call or a discount and who logged it; False if the same is there already."""
        with self.file.writing() as connection:
            if not insert_interventions(connection, [record]):
                return False
            append_audit(
                connection, record.known_us, author, "intervention.log", record.tenant_id,
                after=canonical_json({"kind": record.kind, "timeUs": record.time_us}),
            )  # fmt: skip
        return True
