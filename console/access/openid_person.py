"""From what the provider says about somebody to a user of the console."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from console.access.openid_settings import OpenIdSettings
from flyball.errors import Conflict, InvalidInput, Refused
from ledger.sqlite_ledger import SqliteLedger
from ledger.users import User, UserRole, check_login

#: Who the audit says let a newcomer in.
AUTHOR = "identity provider"


class NotLetIn(Refused):
    """The provider knows them; the console does not let them in."""


def person_of(
    ledger: SqliteLedger, settings: OpenIdSettings, claims: Mapping[str, Any], *, now_us: int
) -> User:
    """The user whom checked ``claims`` are about; a new one where the settings allow it.

    Only the subject decides: names and addresses can be changed at many providers by anybody.

    Raises
    ------
    NotLetIn
        Nobody, or nobody who may sign in.
    """
    subject = f"{settings.issuer}|{claims['sub']}"
    user = ledger.user_of_subject(subject)
    if user is None:
        user = _newcomer(ledger, settings, claims, subject, now_us)
    if not user.enabled:
        raise NotLetIn("Your entry has been switched off.", "Ask an administrator of Flyball.")
    return user


def _newcomer(
    ledger: SqliteLedger,
    settings: OpenIdSettings,
    claims: Mapping[str, Any],
    subject: str,
    now_us: int,
) -> User:
    if not settings.provision:
        raise NotLetIn(
            f"{settings.name} knows you, but nobody has let you in here yet.",
            "Send an administrator this subject; they give it to flyball user add --no-password "
            f"--subject: {subject}",
        )
    wanted = _text(claims, "preferred_username") or _text(claims, "email") or _text(claims, "sub")
    try:
        return ledger.add_user(
            check_login(wanted), role=UserRole(settings.provision_role),
            sees=settings.newcomers_see, name=_text(claims, "name"), email=_email(claims),
            subject=subject, author=AUTHOR, now_us=now_us,
        )  # fmt: skip
    except Conflict:
        # Two windows at once, perhaps; never somebody else's entry because the names are alike.
        found = ledger.user_of_subject(subject)
        if found is not None:
            return found
        raise NotLetIn(
            f"There is another entry with your login {wanted[:64]}.",
            "If it is yours, send an administrator this subject; they give it to flyball user "
            f"change --subject: {subject}",
        ) from None
    except InvalidInput:
        raise NotLetIn(
            "What the provider says about you cannot be made an entry.",
            "Send an administrator this subject; they give it to flyball user add --no-password "
            f"--subject: {subject}",
        ) from None


def _email(claims: Mapping[str, Any]) -> str:
    """Only a verified one: digests with accounts' names go there."""
    return _text(claims, "email") if claims.get("email_verified") is True else ""


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    return value.strip()[:200] if isinstance(value, str) and value.isprintable() else ""
