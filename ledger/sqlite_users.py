"""Users of the console in SQLite; every change of them is in the audit."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Any

import msgspec

from flyball.errors import Conflict, NotFound
from flyball.identity import check_label
from ledger.canonical import canonical_json
from ledger.people import check_said
from ledger.sqlite_audit import append_audit
from ledger.sqlite_base import SqlitePart
from ledger.users import Sees, User, UserRole, check_login, check_sees, sees_from

_COLUMNS = (
    "user_id, login, name, email, role, sees, password, subject, created_us, disabled_us"
)  # fmt: skip
_SELECT = f"SELECT {_COLUMNS} FROM console_user"


class SqliteUsers(SqlitePart):
    """See :class:`ledger.store.UserStore`."""

    def add_user(
        self,
        login: str,
        *,
        role: UserRole,
        sees: Iterable[Sees],
        author: str,
        now_us: int,
        name: str = "",
        email: str = "",
        password: str = "",
        subject: str | None = None,
    ) -> User:
        """Let a person in; ``password`` is a hash.

        Raises
        ------
        Conflict
            The login is taken.
        """
        user = User(
            user_id="u_" + secrets.token_hex(6), login=check_login(login),
            name=check_label(name, field="name").strip() or login,
            email=check_label(email, field="email").strip(), role=role, sees=check_sees(sees),
            password=password, subject=subject, created_us=now_us,
        )  # fmt: skip
        with self.file.writing() as connection:
            if connection.execute(
                "SELECT 1 FROM console_user WHERE login = ?", (user.login,)
            ).fetchall():
                raise Conflict(f"There is a user {user.login} already.", "Choose another login.")
            connection.execute(
                f"INSERT INTO console_user ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,NULL)",
                (
                    user.user_id, user.login, user.name, user.email, user.role.value,
                    _sees_text(user.sees), user.password, user.subject, now_us,
                ),
            )  # fmt: skip
            append_audit(
                connection, now_us, check_said(author, field="author"), "user.add", user.login,
                after=_told(user),
            )  # fmt: skip
        return user

    def users(self) -> list[User]:
        """Everybody, disabled ones too, by login."""
        return [_user(row) for row in self.file.rows(f"{_SELECT} ORDER BY login")]

    def user(self, user_id: str) -> User | None:
        """One user by id."""
        rows = self.file.rows(f"{_SELECT} WHERE user_id = ?", (user_id,))
        return _user(rows[0]) if rows else None

    def user_named(self, login: str) -> User | None:
        """One user by what they type at the door."""
        rows = self.file.rows(f"{_SELECT} WHERE login = ?", (login.strip().lower(),))
        return _user(rows[0]) if rows else None

    def user_of_subject(self, subject: str) -> User | None:
        """One user by who the identity provider says they are (``issuer|sub``)."""
        rows = self.file.rows(f"{_SELECT} WHERE subject = ?", (subject,))
        return _user(rows[0]) if rows else None

    def change_user(
        self,
        user_id: str,
        *,
        author: str,
        now_us: int,
        name: str | None = None,
        email: str | None = None,
        role: UserRole | None = None,
        sees: Iterable[Sees] | None = None,
        enabled: bool | None = None,
        subject: str | None = None,
        reason: str = "",
    ) -> User:
        """Change what is given; a disabled user's sessions end, as do those of a changed role."""
        author = check_said(author, field="author")
        with self.file.writing() as connection:
            before = _existing(connection, user_id)
            after = _changed(
                before, name=name, email=email, role=role, sees=sees, enabled=enabled,
                subject=subject, now_us=now_us,
            )  # fmt: skip
            if after == before:
                return before
            connection.execute(
                "UPDATE console_user SET name = ?, email = ?, role = ?, sees = ?, subject = ?, "
                "disabled_us = ? WHERE user_id = ?",
                (
                    after.name, after.email, after.role.value, _sees_text(after.sees),
                    after.subject, after.disabled_us, user_id,
                ),
            )  # fmt: skip
            if not after.enabled or after.role is not before.role:
                connection.execute("DELETE FROM console_session WHERE user_id = ?", (user_id,))
            append_audit(
                connection, now_us, author, "user.change", after.login, reason=reason,
                before=_told(before), after=_told(after),
            )  # fmt: skip
            return after

    def set_password(self, user_id: str, password: str, *, author: str, now_us: int) -> None:
        """Replace a user's hash and end their sessions."""
        author = check_said(author, field="author")
        with self.file.writing() as connection:
            user = _existing(connection, user_id)
            connection.execute(
                "UPDATE console_user SET password = ? WHERE user_id = ?", (password, user_id)
            )
            connection.execute("DELETE FROM console_session WHERE user_id = ?", (user_id,))
            append_audit(connection, now_us, author, "user.password", user.login)

    def rehash_password(self, user_id: str, password: str) -> None:
        """Store the same password under newer parameters; nothing that anybody did."""
        with self.file.writing() as connection:
            connection.execute(
                "UPDATE console_user SET password = ? WHERE user_id = ?", (password, user_id)
            )


def _existing(connection: Any, user_id: str) -> User:
    rows = connection.execute(f"{_SELECT} WHERE user_id = ?", (user_id,)).fetchall()
    if not rows:
        raise NotFound("There is no such user.", "See flyball user list.")
    return _user(rows[0])


def _changed(
    user: User,
    *,
    name: str | None,
    email: str | None,
    role: UserRole | None,
    sees: Iterable[Sees] | None,
    enabled: bool | None,
    subject: str | None,
    now_us: int,
) -> User:
    disabled_us = user.disabled_us
    if enabled is not None and enabled != user.enabled:
        disabled_us = None if enabled else now_us
    return User(
        user_id=user.user_id, login=user.login, password=user.password, created_us=user.created_us,
        name=user.name if name is None else check_label(name, field="name").strip() or user.login,
        email=user.email if email is None else check_label(email, field="email").strip(),
        role=user.role if role is None else role,
        sees=user.sees if sees is None else check_sees(sees),
        subject=user.subject if subject is None else subject or None,
        disabled_us=disabled_us,
    )  # fmt: skip


def _told(user: User) -> str:
    """What the audit tells of a user: never the hash."""
    return canonical_json(
        {
            "name": user.name, "email": user.email, "role": user.role.value,
            "sees": [str(rule) for rule in user.sees], "enabled": user.enabled,
            "subject": user.subject or "",
        }
    )  # fmt: skip


def _sees_text(sees: tuple[Sees, ...]) -> str:
    return msgspec.json.encode([str(rule) for rule in sees]).decode()


def _user(row: tuple[Any, ...]) -> User:
    return User(
        user_id=row[0], login=row[1], name=row[2], email=row[3], role=UserRole(row[4]),
        sees=tuple(sees_from(text) for text in msgspec.json.decode(row[5])), password=row[6],
        subject=row[7], created_us=row[8], disabled_us=row[9],
    )  # fmt: skip
