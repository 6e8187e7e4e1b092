"""People who sign in to the console: who they are, what they may do, which tenants they see."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from flyball.errors import InvalidInput
from flyball.identity import check_label

_LOGIN = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}", re.ASCII)


class UserRole(StrEnum):
    """What a person may do in the console, least first."""

    VIEWER = "viewer"
    CS = "cs"
    LEAD = "lead"
    ADMIN = "admin"


class SeesKind(StrEnum):
    """By what a person's tenants are picked."""

    ALL = "all"
    OWNER = "owner"
    SEGMENT = "segment"
    REGION = "region"


@dataclass(frozen=True, slots=True, order=True)
class Sees:
    """One rule of what a person sees; several add up, none means nothing.

    ``value`` is the owner, segment or region as accounts spell it, empty for ``all``.

    Examples
    --------
    >>> sees_from("owner=amara")
    Sees(kind=<SeesKind.OWNER: 'owner'>, value='amara')
    """

    kind: SeesKind
    value: str = ""

    def __str__(self) -> str:
        return self.kind.value if self.kind is SeesKind.ALL else f"{self.kind.value}={self.value}"


EVERYTHING = (Sees(SeesKind.ALL),)


def sees_from(text: str) -> Sees:
    """Read ``all``, ``owner=NAME``, ``segment=NAME`` or ``region=NAME``; InvalidInput otherwise."""
    kind, _, value = text.partition("=")
    value = check_label(value, field="sees").strip()
    kinds = {item.value for item in SeesKind}
    if kind not in kinds or (kind == SeesKind.ALL.value) != (not value):
        raise InvalidInput(
            f"{text[:64]!r} does not say which tenants.",
            "Write all, owner=NAME, segment=NAME or region=NAME.",
            field="sees",
        )
    return Sees(SeesKind(kind), value)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person with an entry to the console.

    ``login`` is what they type, lower case. ``password`` is an argon2 hash, empty where they come
    through the identity provider only; ``subject`` is who they are there (``issuer|sub``).
    """

    user_id: str
    login: str
    name: str
    email: str
    role: UserRole
    sees: tuple[Sees, ...]
    password: str
    created_us: int
    subject: str | None = None
    disabled_us: int | None = None

    @property
    def enabled(self) -> bool:
        """Whether they may sign in."""
        return self.disabled_us is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One signed-in browser; ``csrf`` proves that a form came from our page."""

    user_id: str
    csrf: str
    created_us: int
    seen_us: int
    expires_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedView:
    """A list's address with a name; ``query`` is its query string. Others see it if shared."""

    view_id: str
    user_id: str
    name: str
    query: str
    shared: bool
    created_us: int


def check_login(value: str) -> str:
    """A login in lower case; raises InvalidInput where it cannot be one."""
    login = value.strip().lower()
    if not _LOGIN.fullmatch(login):
        raise InvalidInput(
            f"{value[:64]!r} cannot be a login.",
            "Use 1-64 letters, digits and . _ @ + -, such as ann or ann@example.com.",
            field="login",
        )
    return login


def check_sees(rules: Iterable[Sees]) -> tuple[Sees, ...]:
    """The rules without repeats, in order; just ``all`` where that is among them."""
    found = tuple(sorted(set(rules)))
    return EVERYTHING if EVERYTHING[0] in found else found
