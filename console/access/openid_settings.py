"""``[console.oidc]`` of ``flyball.toml``: signing in through an OpenID Connect provider."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from ipaddress import ip_address
from typing import get_type_hints
from urllib.parse import urlsplit

from flyball.errors import InvalidInput
from ledger.users import Sees, UserRole, sees_from

_WORDS = {str: "text", bool: "true or false", tuple[str, ...]: "a list of texts"}


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenIdSettings:
    """``[console.oidc]``; without an ``issuer`` people sign in with passwords alone.

    Parameters
    ----------
    issuer:
        The provider's address exactly as its discovery document says it; https, or http on
        loopback.
    client_id:
        What the provider calls this console.
    secret_env:
        Name of the environment variable that holds the client's secret; empty for a public client,
        which PKCE alone protects.
    name:
        What the sign-in page calls the provider.
    scopes:
        What is asked for, with blanks between; ``openid`` is among them.
    passwords:
        Whether a login and password are taken as well.
    provision:
        Whether somebody whom the provider knows and the console does not is let in.
    provision_role, provision_sees:
        Their role and rules (as ``flyball user add --sees``). No rules: they see no account until
        an administrator says which.
    """

    issuer: str = ""
    client_id: str = ""
    secret_env: str = "FLYBALL_OIDC_SECRET"  # noqa: S105 - a name, not the secret
    name: str = "single sign-on"
    scopes: str = "openid profile email"
    passwords: bool = True
    provision: bool = False
    provision_role: str = "viewer"
    provision_sees: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.issuer:
            check_address(self.issuer, field="console.oidc.issuer")
            if not self.client_id:
                raise _wrong("client_id", "is missing.", "Write what the provider's page says.")
            if "openid" not in self.scopes.split():
                raise _wrong("scopes", "must name openid.", 'Usual is "openid profile email".')
        elif self.client_id or self.provision or not self.passwords:
            raise _wrong("issuer", "is missing.", "Name the provider, or drop [console.oidc].")
        if self.provision_role not in list(UserRole):
            roles = ", ".join(role.value for role in UserRole)
            raise _wrong("provision_role", f"is none of {roles}.", "Usual is viewer.")
        for rule in self.provision_sees:
            sees_from(rule)
        if not self.name.strip() or len(self.name) > 60:
            raise _wrong("name", "must have 1..60 characters.", "Write what people call it.")

    @property
    def configured(self) -> bool:
        """Whether there is a provider."""
        return bool(self.issuer)

    @property
    def passwords_taken(self) -> bool:
        """Whether the password form is there; always where there is no provider."""
        return self.passwords or not self.configured

    @property
    def newcomers_see(self) -> tuple[Sees, ...]:
        """The rules of a provisioned user."""
        return tuple(map(sees_from, self.provision_sees))

    def secret(self) -> str:
        """The client's secret from the environment; empty for a public client.

        Raises
        ------
        InvalidInput
            The variable is named and not set.
        """
        if not self.secret_env:
            return ""
        found = os.environ.get(self.secret_env, "")
        if not found:
            raise _wrong(
                "secret_env", f"names {self.secret_env}, which is not set.",
                "Set that variable to the client's secret before the console starts, or write "
                'secret_env = "" for a public client.',
            )  # fmt: skip
        return found


def open_id_settings_from(table: object) -> OpenIdSettings:
    """Read ``[console.oidc]``; raises InvalidInput naming the setting."""
    if not isinstance(table, Mapping):
        raise InvalidInput("console.oidc must be a table.", field="console.oidc")
    kinds = get_type_hints(OpenIdSettings)
    kinds = {item.name: kinds[item.name] for item in fields(OpenIdSettings)}
    values: dict[str, object] = {}
    for key, value in table.items():
        if key not in kinds:
            near = get_close_matches(key, list(kinds), n=1, cutoff=0.0)
            raise InvalidInput(
                f"flyball.toml has no setting console.oidc.{key[:64]}.",
                f"The nearest one is console.oidc.{near[0]}.",
                field=f"console.oidc.{key}",
                code="unknown_setting",
            )
        if kinds[key] == tuple[str, ...]:
            fits = isinstance(value, list) and all(isinstance(item, str) for item in value)
            values[key] = tuple(value) if isinstance(value, list) else value
        else:
            fits, values[key] = type(value) is kinds[key], value
        if not fits:
            raise _wrong(key, f"must be {_WORDS[kinds[key]]}, not {value!r}.", "")
    return OpenIdSettings(**values)  # type: ignore[arg-type]


def check_address(address: str, *, field: str) -> str:
    """An address that secrets may be sent to: https, or http on this machine."""
    parts = urlsplit(address)
    safe = parts.scheme == "https" or (parts.scheme == "http" and loopback(parts.hostname or ""))
    if not safe or not parts.hostname or parts.username is not None or parts.fragment:
        raise InvalidInput(
            f"{field} {address[:200]!r} is not an https address.",
            "Only a provider on this machine may be reached over http.",
            field=field,
        )
    return address


def loopback(host: str) -> bool:
    """Whether ``host`` is this machine, said so that nobody else can answer."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _wrong(name: str, text: str, hint: str) -> InvalidInput:
    return InvalidInput(f"console.oidc.{name} {text}", hint, field=f"console.oidc.{name}")
