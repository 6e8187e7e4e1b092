"""``[console]`` of ``flyball.toml``: where the console listens and how people sign in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from urllib.parse import urlsplit

from console.access.openid_settings import OpenIdSettings, open_id_settings_from
from console.design.band import Banding, banding_from
from flyball.errors import InvalidInput

#: Which overrides need a second person.
EYES = ("none", "choose", "all")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleSettings:
    """``[console]``.

    Parameters
    ----------
    enabled:
        Whether ``flyball serve`` starts the console (it does once there is a user).
    host, port:
        Where it listens; beyond loopback only with an https ``public_url``. Port 0 picks one.
    public_url:
        The address that people use, where a proxy stands before it, such as
        ``https://console.example.com``; makes cookies ``Secure``.
    session_hours:
        A sign-in lasts this long at most (1..720).
    idle_minutes:
        And ends after so long without a page (5..43200).
    second_pair_of_eyes:
        Which overrides wait until another person with the role approves: ``none``, ``choose``
        (those that choose a multiplier) or ``all``.
    bands:
        ``[console.bands]``: from which chance on a risk is told as raised and as high.
    oidc:
        ``[console.oidc]``: signing in through an OpenID Connect provider.
    """

    enabled: bool = True
    host: str = "127.0.0.1"
    port: int = 8090
    public_url: str = ""
    session_hours: int = 12
    idle_minutes: int = 120
    second_pair_of_eyes: str = "none"
    bands: Banding = field(default_factory=Banding)
    oidc: OpenIdSettings = field(default_factory=OpenIdSettings)

    def __post_init__(self) -> None:
        for name, low, high in (
            ("port", 0, 65_535),
            ("session_hours", 1, 720),
            ("idle_minutes", 5, 43_200),
        ):
            if not low <= getattr(self, name) <= high:
                raise InvalidInput(
                    f"console.{name} {getattr(self, name)} must lie in {low}..{high}.",
                    field=f"console.{name}",
                )
        if self.second_pair_of_eyes not in EYES:
            raise InvalidInput(
                f"console.second_pair_of_eyes {self.second_pair_of_eyes!r} is not known.",
                f"Write one of: {', '.join(EYES)}.",
                field="console.second_pair_of_eyes",
            )
        if self.public_url:
            _check_url(self.public_url)

    @property
    def secure(self) -> bool:
        """Whether people reach it over TLS only."""
        return self.public_url.startswith("https://")


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/"):
        raise InvalidInput(
            f"console.public_url {url!r} is not an address without a path.",
            "Write it like https://console.example.com.",
            field="console.public_url",
        )


def console_settings_from(table: Mapping[str, object]) -> ConsoleSettings:
    """Read the table ``[console]``; raises InvalidInput naming the setting."""
    # ``[console.mail]`` is read by ``console.digest.settings``.
    table = {key: value for key, value in table.items() if key != "mail"}
    kinds = {item.name: type(item.default) for item in fields(ConsoleSettings)}
    values = dict(table)
    oidc = open_id_settings_from(values.pop("oidc", {}))
    bands = banding_from(values.pop("bands", {}))
    for key, value in values.items():
        if key not in kinds:
            near = get_close_matches(key, list(kinds), n=1, cutoff=0.0)
            raise InvalidInput(
                f"flyball.toml has no setting console.{key[:64]}.",
                f"The nearest one is console.{near[0]}.",
                field=f"console.{key}",
                code="unknown_setting",
            )
        if type(value) is not kinds[key]:
            word = {int: "a whole number", str: "text", bool: "true or false"}[kinds[key]]
            raise InvalidInput(
                f"console.{key} must be {word}, not {value!r}.", field=f"console.{key}"
            )
    return ConsoleSettings(**values, oidc=oidc, bands=bands)  # type: ignore[arg-type]
