"""Which tenants a person may see, as types: a raw id does not type-check where these are asked for.

Only :class:`Authoriser` makes them. What does not exist and what is out of reach are one thing to
the caller: the same statement is run, and the same error raised, for both.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from flyball.errors import NotFound
from flyball.identity import check_identifier
from ledger.users import Sees, SeesKind, User

_COLUMN = {SeesKind.OWNER: "owner", SeesKind.SEGMENT: "segment", SeesKind.REGION: "region"}


class _Seal:
    """Held by this module alone, so that nobody else can make what it makes."""


_SEAL = _Seal()


class AccessibleTenants:
    """A set of tenants that one person may see, as a condition on rows of ``standing``."""

    __slots__ = ("_bindings", "_sql")

    def __init__(self, seal: _Seal, sees: Collection[Sees]) -> None:
        if seal is not _SEAL:
            raise TypeError("Only the authoriser makes AccessibleTenants.")
        self._sql, self._bindings = _condition(sees)

    def condition(self, alias: str = "standing") -> tuple[str, tuple[str, ...]]:
        """SQL that holds for exactly these tenants in the table ``alias``, and its bindings."""
        return self._sql.replace("{row}", alias), self._bindings

    @property
    def everyone(self) -> bool:
        """Whether no tenant is left out."""
        return self._sql == "1"


class AccessibleTenant:
    """One tenant that a person may see; ``tenant_id`` is its id."""

    __slots__ = ("tenant_id",)

    def __init__(self, seal: _Seal, tenant_id: str) -> None:
        if seal is not _SEAL:
            raise TypeError("Only the authoriser makes an AccessibleTenant.")
        self.tenant_id = tenant_id

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AccessibleTenant) and other.tenant_id == self.tenant_id

    def __hash__(self) -> int:
        return hash(self.tenant_id)

    def __repr__(self) -> str:
        return f"AccessibleTenant({self.tenant_id!r})"


class Directory(Protocol):
    """Where tenants are looked up (:class:`console.standings.file.Standings`)."""

    def ids_among(self, accessible: AccessibleTenants, ids: Collection[str]) -> list[str]:
        """Those of ``ids`` that are accessible, in one statement."""
        ...


class Authoriser:
    """Makes accessible tenants for users; asks the directory, never trusts an id."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def tenants_of(self, user: User) -> AccessibleTenants:
        """Everything the user may see; nothing for a disabled one."""
        return AccessibleTenants(_SEAL, user.sees if user.enabled else ())

    def tenant(self, accessible: AccessibleTenants, tenant_id: str) -> AccessibleTenant:
        """One tenant among ``accessible``.

        Raises
        ------
        NotFound
            There is none of that name, or it is out of reach: nobody can tell which.
        """
        found = self.some(accessible, (tenant_id,))
        if not found:
            raise NotFound("There is no such account.", "Go back to the list.")
        return found[0]

    def some(
        self, accessible: AccessibleTenants, tenant_ids: Collection[str]
    ) -> list[AccessibleTenant]:
        """Those of ``tenant_ids`` that are accessible (for moves on many at once)."""
        ids = self._directory.ids_among(accessible, tenant_ids)
        return [AccessibleTenant(_SEAL, check_identifier(name, field="tenant_id")) for name in ids]


def _condition(sees: Collection[Sees]) -> tuple[str, tuple[str, ...]]:
    if any(rule.kind is SeesKind.ALL for rule in sees):
        return "1", ()
    rules = [rule for rule in sees if rule.value]
    if not rules:
        return "0", ()
    sql = " OR ".join(f"{{row}}.{_COLUMN[rule.kind]} = ?" for rule in rules)
    return f"({sql})", tuple(rule.value for rule in rules)
