"""What a role may do."""

from __future__ import annotations

from enum import StrEnum

from ledger.users import UserRole


class Permission(StrEnum):
    """One thing that a page may ask for."""

    LOOK = "look"  # pages about the tenants that one sees
    ACT = "act"  # overrides, notes, tasks, feedback, interventions
    BULK = "bulk"  # the same for many tenants at once, and new owners
    APPROVE = "approve"  # the second pair of eyes
    TEAM = "team"  # pages about everybody's work
    ADMINISTER = "administer"  # users, settings, the kill switch


_CS = {Permission.LOOK, Permission.ACT}
_LEAD = _CS | {Permission.BULK, Permission.APPROVE, Permission.TEAM}

GRANTED: dict[UserRole, frozenset[Permission]] = {
    UserRole.VIEWER: frozenset({Permission.LOOK}),
    UserRole.CS: frozenset(_CS | {Permission.BULK}),
    UserRole.LEAD: frozenset(_LEAD),
    UserRole.ADMIN: frozenset(Permission),
}


def allowed(role: UserRole, permission: Permission) -> bool:
    """Whether ``role`` may."""
    return permission in GRANTED[role]
