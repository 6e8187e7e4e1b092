"""Signed-in browsers in SQLite: only the SHA-256 of each one's token is kept; and failed tries."""

from __future__ import annotations

import hashlib
import secrets

from flyball.instant import MINUTE_US
from ledger.sqlite_audit import append_audit
from ledger.sqlite_base import SqlitePart
from ledger.users import Session

#: A session's ``seen_us`` is this coarse, so that reading pages does not write.
SEEN_EVERY_US = 5 * MINUTE_US


class SqliteSessions(SqlitePart):
    """See :class:`ledger.store.SessionStore`."""

    def open_session(
        self, user_id: str, *, login: str, now_us: int, expires_us: int
    ) -> tuple[str, Session]:
        """Begin a session; the text returned first goes into the cookie and is kept nowhere."""
        text = secrets.token_urlsafe(32)
        session = Session(
            user_id=user_id, csrf=secrets.token_urlsafe(24), created_us=now_us, seen_us=now_us,
            expires_us=expires_us,
        )  # fmt: skip
        with self.file.writing() as connection:
            connection.execute("DELETE FROM console_session WHERE expires_us <= ?", (now_us,))
            connection.execute(
                "INSERT INTO console_session VALUES (?,?,?,?,?,?)",
                (_digest(text), user_id, session.csrf, now_us, now_us, expires_us),
            )
            append_audit(connection, now_us, login, "user.sign_in", login)
        return text, session

    def session(self, text: str, *, now_us: int, idle_us: int) -> Session | None:
        """The session that ``text`` stands for, unless it is over or was idle for too long."""
        if not text or len(text) > 128:
            return None
        digest = _digest(text)
        rows = self.file.rows(
            "SELECT user_id, csrf, created_us, seen_us, expires_us FROM console_session "
            "WHERE sha256 = ? AND expires_us > ? AND seen_us > ?",
            (digest, now_us, now_us - idle_us),
        )
        if not rows:
            return None
        user_id, csrf, created_us, seen_us, expires_us = rows[0]
        if now_us - seen_us > SEEN_EVERY_US:
            with self.file.writing() as connection:
                connection.execute(
                    "UPDATE console_session SET seen_us = ? WHERE sha256 = ?", (now_us, digest)
                )
        return Session(
            user_id=user_id, csrf=csrf, created_us=created_us, seen_us=seen_us,
            expires_us=expires_us,
        )  # fmt: skip

    def end_session(self, text: str) -> None:
        """Forget one session."""
        with self.file.writing() as connection:
            connection.execute("DELETE FROM console_session WHERE sha256 = ?", (_digest(text),))

    def note_failed_sign_in(self, *, login: str, address: str, now_us: int, keep_us: int) -> None:
        """Remember a failed try, and forget those older than ``keep_us``."""
        with self.file.writing() as connection:
            connection.execute("DELETE FROM sign_in_failure WHERE at_us < ?", (now_us - keep_us,))
            connection.execute(
                "INSERT INTO sign_in_failure (at_us, login, address) VALUES (?,?,?)",
                (now_us, login[:64], address[:64]),
            )

    def failed_sign_ins(self, *, login: str, address: str, since_us: int) -> tuple[int, int]:
        """Failed tries since a time: with this login from anywhere, and from this address."""
        rows = self.file.rows(
            "SELECT coalesce(sum(login = ?), 0), coalesce(sum(address = ?), 0) "
            "FROM sign_in_failure WHERE at_us >= ?",
            (login[:64], address[:64], since_us),
        )
        return int(rows[0][0]), int(rows[0][1])

    def forget_failed_sign_ins(self, login: str) -> None:
        """A right password ends the count for its login."""
        with self.file.writing() as connection:
            connection.execute("DELETE FROM sign_in_failure WHERE login = ?", (login[:64],))


def _digest(text: str) -> bytes:
    # 256 random bits cannot be guessed backwards from a plain hash.
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()
