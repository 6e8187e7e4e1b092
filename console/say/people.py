"""Whom a task can be given to: people who may act and who see the account."""

from __future__ import annotations

from collections.abc import Collection

from console.access.permission import Permission, allowed
from console.access.tenants import AccessibleTenant
from console.access.visitor import Visitor
from console.desk import Desk
from flyball.errors import InvalidInput
from ledger.users import User


def assignees(desk: Desk) -> list[tuple[str, str]]:
    """Login and name of everybody who may act, by name."""
    found = [user for user in desk.ledger.users() if _acts(user)]
    return [
        (user.login, f"{user.name} ({user.login})" if user.name != user.login else user.login)
        for user in sorted(found, key=lambda user: (user.name.casefold(), user.login))
    ]


def reached(
    desk: Desk, visitor: Visitor, login: str, tenants: Collection[AccessibleTenant]
) -> list[AccessibleTenant]:
    """Those of ``tenants`` that the person called ``login`` sees too.

    Raises
    ------
    InvalidInput
        Nobody who may act is called so.
    """
    user = desk.ledger.user_named(login) if login else None
    if user is None or not _acts(user):
        raise InvalidInput("Nobody is chosen.", "Choose who should do it.", field="assignee")
    seen = visitor.authoriser.tenants_of(user)
    return visitor.authoriser.some(seen, [tenant.tenant_id for tenant in tenants])


def _acts(user: User) -> bool:
    return user.enabled and allowed(user.role, Permission.ACT)
