"""``[console.mail]`` of ``flyball.toml``: the server that takes the daily digests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from flyball.errors import InvalidInput

SECURITIES = ("starttls", "tls", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class MailSettings:
    """Without a ``host`` nothing is sent; digests are pages then.

    Parameters
    ----------
    host, port:
        The SMTP server.
    security:
        ``starttls`` (587), ``tls`` (465), or ``none`` for a server on this machine.
    sender:
        The address that digests come from.
    user:
        Who signs in there; the password is in the environment, ``FLYBALL_SMTP_PASSWORD``.
    """

    host: str = ""
    port: int = 587
    security: str = "starttls"
    sender: str = ""
    user: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.port <= 65_535:
            raise _wrong("port", "must lie in 1..65535")
        if self.security not in SECURITIES:
            raise _wrong("security", f"must be one of {', '.join(SECURITIES)}")
        if self.host and "@" not in self.sender:
            raise _wrong("sender", "must be the address that digests come from")
        if self.security == "none" and self.user:
            raise _wrong("user", "cannot be used without TLS: the password would be readable")


def mail_settings_from(console: Mapping[str, object]) -> MailSettings:
    """Read ``mail`` of the table ``[console]``; raises InvalidInput naming the setting."""
    table = console.get("mail", {})
    if not isinstance(table, Mapping):
        raise InvalidInput("console.mail must be a table.", field="console.mail")
    kinds = {item.name: type(item.default) for item in fields(MailSettings)}
    for key, value in table.items():
        if key not in kinds:
            raise InvalidInput(
                f"flyball.toml has no setting console.mail.{str(key)[:64]}.",
                f"There are {', '.join(kinds)}.",
                field=f"console.mail.{key}",
                code="unknown_setting",
            )
        if type(value) is not kinds[key]:
            word = "a whole number" if kinds[key] is int else "text"
            raise _wrong(str(key), f"must be {word}")
    return MailSettings(**table)


def _wrong(name: str, what: str) -> InvalidInput:
    return InvalidInput(f"console.mail.{name} {what}.", field=f"console.mail.{name}")
