"""Bearer tokens in SQLite: only their SHA-256 is kept."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

from flyball.errors import Conflict, InvalidInput, NotFound
from flyball.home import Home
from ledger.canonical import canonical_json
from ledger.people import Role, Token, check_said
from ledger.sqlite_audit import append_audit
from ledger.sqlite_base import SqlitePart
from ledger.token_file import write_token_file

#: Makes a leaked token findable by secret scanners.
TOKEN_PREFIX = "fbt_"  # noqa: S105  # not a secret: what every token begins with

_SELECT = "SELECT token_id, name, role, created_us, author, expires_us, revoked_us FROM token"


class SqliteTokens(SqlitePart):
    """See :class:`ledger.store.TokenStore`."""

    def create_token(
        self,
        name: str,
        role: Role,
        *,
        author: str,
        now_us: int,
        expires_us: int | None = None,
    ) -> tuple[str, Token]:
        """Make a token; the text returned first is shown once and kept nowhere."""
        name, author = check_said(name, field="name"), check_said(author, field="author")
        if expires_us is not None and expires_us <= now_us:
            raise InvalidInput(
                "The token would have expired already.", "Give an expiry such as 90d.",
                field="expires",
            )  # fmt: skip
        text = TOKEN_PREFIX + secrets.token_urlsafe(32)
        token = Token(
            token_id="t_" + secrets.token_hex(4), name=name, role=role, created_us=now_us,
            author=author, expires_us=expires_us,
        )  # fmt: skip
        with self.file.writing() as connection:
            connection.execute(
                "INSERT INTO token (token_id, sha256, name, role, created_us, author, expires_us) "
                "VALUES (?,?,?,?,?,?,?)",
                (token.token_id, _digest(text), name, role.value, now_us, author, expires_us),
            )
            after = {"name": name, "role": role.value, "expiresUs": expires_us}
            append_audit(
                connection, now_us, author, "token.create", token.token_id,
                after=canonical_json(after),
            )  # fmt: skip
            self._mirror(connection)
        return text, token

    def authenticate(self, text: str, now_us: int) -> Token | None:
        """The token that ``text`` is, if it is valid at ``now_us``; None otherwise."""
        if not text.startswith(TOKEN_PREFIX) or len(text) > 128:
            return None
        rows = self.file.rows(f"{_SELECT} WHERE sha256 = ?", (_digest(text),))
        token = _token(rows[0]) if rows else None
        return token if token is not None and token.valid_at(now_us) else None

    def tokens(self) -> list[Token]:
        """Every token ever made, oldest first."""
        return [_token(row) for row in self.file.rows(f"{_SELECT} ORDER BY seq")]

    def revoke_token(self, token_id: str, *, author: str, now_us: int, reason: str = "") -> Token:
        """Make a token useless from now on.

        Raises
        ------
        NotFound
            There is no such token.
        Conflict
            It was revoked already.
        """
        author = check_said(author, field="author")
        with self.file.writing() as connection:
            rows = connection.execute(f"{_SELECT} WHERE token_id = ?", (token_id,)).fetchall()
            if not rows:
                raise NotFound(f"There is no token {token_id[:64]!r}.", "See flyball token list.")
            if rows[0][6] is not None:
                raise Conflict(f"Token {token_id} was revoked already.")
            connection.execute(
                "UPDATE token SET revoked_us = ? WHERE token_id = ?", (now_us, token_id)
            )
            append_audit(connection, now_us, author, "token.revoke", token_id, reason=reason)
            self._mirror(connection)
            return _token((*rows[0][:6], now_us))

    def _mirror(self, connection: Any) -> None:
        """Tell the data path, inside the transaction: a revoked token is shut out first."""
        rows = connection.execute(
            "SELECT lower(hex(sha256)), role, name, expires_us FROM token "
            "WHERE revoked_us IS NULL ORDER BY seq"
        ).fetchall()
        write_token_file(Home(self.file.path.parent).tokens, rows)


def _digest(text: str) -> bytes:
    # A token has 256 random bits, so a plain hash cannot be guessed backwards.
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()


def _token(row: tuple[Any, ...]) -> Token:
    return Token(
        token_id=row[0],
        name=row[1],
        role=Role(row[2]),
        created_us=row[3],
        author=row[4],
        expires_us=row[5],
        revoked_us=row[6],
    )
