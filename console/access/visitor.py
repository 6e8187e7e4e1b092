"""Who asks: a signed-in person, what they may do and which tenants they see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Request

from console.access.permission import Permission, allowed
from console.access.tenants import AccessibleTenant, AccessibleTenants, Authoriser
from console.desk import Desk, desk_of
from ledger.users import Session, User

COOKIE = "flyball_session"


class NotSignedIn(Exception):
    """The page needs somebody; they are sent to the door and brought back."""


class NotAllowed(Exception):
    """The visitor's role does not include what the page does."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """A signed-in person: ``accessible`` is what every read model about tenants asks for."""

    user: User
    session: Session
    accessible: AccessibleTenants
    authoriser: Authoriser

    @property
    def login(self) -> str:
        """What the audit calls them."""
        return self.user.login

    def may(self, permission: Permission | str) -> bool:
        """Whether their role includes ``permission``."""
        return allowed(self.user.role, Permission(permission))

    def tenant(self, tenant_id: str) -> AccessibleTenant:
        """One of their tenants; raises NotFound for any other, whether it exists or not."""
        return self.authoriser.tenant(self.accessible, tenant_id)


def visitor_of(desk: Desk, cookie: str) -> Visitor | None:
    """Who holds the cookie, if anybody does who may come in."""
    idle_us = desk.settings.idle_minutes * 60_000_000
    session = desk.ledger.session(cookie, now_us=desk.wall_us(), idle_us=idle_us)
    user = desk.ledger.user(session.user_id) if session is not None else None
    if session is None or user is None or not user.enabled:
        return None
    authoriser = Authoriser(desk.standings)
    return Visitor(user, session, authoriser.tenants_of(user), authoriser)


def signed_in(request: Request) -> Visitor:
    """The visitor of this request; raises NotSignedIn where there is none."""
    known: Visitor | None = getattr(request.state, "visitor", None)
    if known is not None:
        return known
    found = visitor_of(desk_of(request), request.cookies.get(COOKIE, ""))
    if found is None:
        raise NotSignedIn
    request.state.visitor = found
    return found


Signed = Annotated[Visitor, Depends(signed_in)]


def needs(permission: Permission) -> Callable[[Visitor], Visitor]:
    """A dependency that gives the visitor if their role includes ``permission``."""

    def check(visitor: Signed) -> Visitor:
        if not visitor.may(permission):
            raise NotAllowed
        return visitor

    return check


def signed_in_router(permission: Permission = Permission.LOOK) -> APIRouter:
    """A router whose every route needs a signed-in person with ``permission``."""
    return APIRouter(dependencies=[Depends(needs(permission))])
