"""Who may sign in: reading the form, and the rules that keep somebody able to change things."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from console.access.passwords import hash_password
from flyball.errors import InvalidInput, Refused
from ledger.sqlite_ledger import SqliteLedger
from ledger.users import Sees, User, UserRole, check_login, sees_from

#: Roles as people say them, and what each may do.
ROLES = {
    UserRole.VIEWER: "Viewer: looks",
    UserRole.CS: "CS: looks, overrides, writes notes and tasks",
    UserRole.LEAD: "Lead: also approves, and sees everybody's work",
    UserRole.ADMIN: "Admin: also users, guardrails and the kill switch",
}
FIELDS = ("login", "name", "email", "role", "sees", "password")


@dataclass(frozen=True, slots=True, kw_only=True)
class UserForm:
    """What the form of a user holds, as typed; ``sees`` has one rule a line."""

    login: str = ""
    name: str = ""
    email: str = ""
    role: str = UserRole.CS.value
    sees: str = ""
    password: str = ""


def form_of(user: User) -> UserForm:
    """The form that shows ``user`` as they are."""
    return UserForm(
        login=user.login, name=user.name, email=user.email, role=user.role.value,
        sees="\n".join(str(rule) for rule in user.sees),
    )  # fmt: skip


def typed(fields: Mapping[str, str]) -> UserForm:
    """The form with what somebody has typed."""
    return UserForm(**{name: fields.get(name, "") for name in FIELDS})


def add(ledger: SqliteLedger, form: UserForm, *, author: str, now_us: int) -> User:
    """Let somebody in; raises InvalidInput naming the field, or Conflict for a login taken.

    Without a password they come through the identity provider only.
    """
    login, role, sees = check_login(form.login), _role(form.role), _sees(form.sees)
    email = _email(form.email)
    stored = hash_password(form.password) if form.password else ""
    return ledger.add_user(
        login, role=role, sees=sees, name=form.name, email=email, password=stored, author=author,
        now_us=now_us,
    )  # fmt: skip


def change(
    ledger: SqliteLedger, user: User, form: UserForm, *, enabled: bool, author: str, now_us: int
) -> User:
    """Change a user to what the form says; a new password where one is given.

    Raises
    ------
    Refused
        Nobody would be left who may change users.
    """
    role, sees, email = _role(form.role), _sees(form.sees), _email(form.email)
    stored = hash_password(form.password) if form.password else ""
    if role is not UserRole.ADMIN or not enabled:
        _keep_an_admin(ledger, user)
    changed = ledger.change_user(
        user.user_id, name=form.name, email=email, role=role, sees=sees, enabled=enabled,
        author=author, now_us=now_us,
    )  # fmt: skip
    if stored:
        ledger.set_password(user.user_id, stored, author=author, now_us=now_us)
    return changed


def _keep_an_admin(ledger: SqliteLedger, user: User) -> None:
    others = [
        other for other in ledger.users()
        if other.enabled and other.role is UserRole.ADMIN and other.user_id != user.user_id
    ]  # fmt: skip
    if user.role is UserRole.ADMIN and user.enabled and not others:
        raise Refused(f"{user.login} is the last administrator.", "Make somebody else one first.")


def _role(text: str) -> UserRole:
    try:
        return UserRole(text)
    except ValueError:
        raise InvalidInput("Choose one of the roles.", field="role") from None


def _sees(text: str) -> list[Sees]:
    return [sees_from(line.strip()) for line in text.splitlines() if line.strip()]


def _email(text: str) -> str:
    if text and (text.count("@") != 1 or not text.isascii() or set(text) & set(' ,;<>"\\')):
        raise InvalidInput(
            f"{text[:64]!r} is not an address.", "Write it like ann@example.com.", field="email"
        )
    return text
