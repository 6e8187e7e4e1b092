"""``flyball.toml``: read once, checked wholly, handed on as frozen values.

Every setting is described in ``docs/reference/settings.md``; a test keeps the two equal.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Any

from flyball.arm import DEFAULT_GRID, ArmGrid
from flyball.canary import CanarySettings
from flyball.errors import InvalidInput, StorageError
from flyball.gate_settings import GateSettings
from flyball.guardrail_settings import GuardrailSettings, guardrails_from
from flyball.identity import check_word
from serving.envoy.grpc_settings import GrpcSettings
from serving.forward_auth.authorize_settings import AuthorizeSettings
from serving.webhooks.endpoint import WebhookSettings, webhooks_from

_MAX_BYTES = 1 << 20


class ClockKind(StrEnum):
    """What "now" is: the wall clock, or the latest event's time (replays and simulations)."""

    WALL = "wall"
    EVENTS = "events"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySettings:
    """``[policy]``: which policy proposes arms, and its parameters (every other key of the table).

    It takes effect once there is a champion and an experiment has been started; until then the
    policy is ``static``.
    """

    name: str = "value"
    params: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionSettings:
    """``[decisions]``: the arm grid, the period and the control loop's pace.

    Parameters
    ----------
    arms:
        Integer hundredths, ascending, 100 among them.
    period_days:
        How long an arm is held (1..28 days).
    clock:
        ``wall`` or ``events``.
    tick_ms:
        How long the control loop rests between two looks for changes (10..60000 ms).
    full_pass_minutes:
        How often every tenant is looked at again, because time alone changes features (5..1440).
    heartbeat_seconds:
        How often the snapshot says that it is still fresh when nothing changes (1..300 s).
    lease_seconds:
        How long the publisher's lease lasts without being renewed (1..300 s).
    threads:
        Threads that score large batches (1..64).
    """

    arms: tuple[int, ...] = DEFAULT_GRID
    period_days: int = 7
    clock: ClockKind = ClockKind.WALL
    tick_ms: int = 250
    full_pass_minutes: int = 60
    heartbeat_seconds: int = 60
    lease_seconds: int = 10
    threads: int = 2

    def __post_init__(self) -> None:
        ArmGrid(self.arms)
        _within("decisions.period_days", self.period_days, 1, 28)
        _within("decisions.tick_ms", self.tick_ms, 10, 60_000)
        _within("decisions.full_pass_minutes", self.full_pass_minutes, 5, 1_440)
        _within("decisions.heartbeat_seconds", self.heartbeat_seconds, 1, 300)
        _within("decisions.lease_seconds", self.lease_seconds, 1, 300)
        _within("decisions.threads", self.threads, 1, 64)

    @property
    def grid(self) -> ArmGrid:
        """The arms as a grid."""
        return ArmGrid(self.arms)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """``[server]``: where to listen (port 0..65535; 0 picks a free one) and with how many workers.

    Without a token the server answers on the loopback interface only.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = 2

    def __post_init__(self) -> None:
        if not self.host.strip():
            raise InvalidInput(
                "server.host is empty.", "Write 127.0.0.1 or 0.0.0.0.", field="server.host"
            )
        _within("server.port", self.port, 0, 65_535)
        _within("server.workers", self.workers, 1, 256)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything in ``flyball.toml``; without the file, every default."""

    policy: PolicySettings = field(default_factory=PolicySettings)
    decisions: DecisionSettings = field(default_factory=DecisionSettings)
    server: ServerSettings = field(default_factory=ServerSettings)
    authorize: AuthorizeSettings = field(default_factory=AuthorizeSettings)
    grpc: GrpcSettings = field(default_factory=GrpcSettings)
    guardrails: GuardrailSettings = field(default_factory=GuardrailSettings)
    gates: GateSettings = field(default_factory=GateSettings)
    canary: CanarySettings = field(default_factory=CanarySettings)
    webhooks: WebhookSettings = field(default_factory=WebhookSettings)
    #: As it stands in the file: the console's own process reads it (``console.settings``).
    console: Mapping[str, Any] = field(default_factory=dict)


def load_settings(path: Path) -> Settings:
    """Read ``flyball.toml``; a missing file gives the defaults.

    Raises
    ------
    InvalidInput
        Not TOML, an unknown key (the nearest known one is named), a wrong type or range.
    StorageError
        The file is there but cannot be read.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        return Settings()
    except OSError as error:
        raise StorageError(
            f"{path} cannot be read: {error.strerror}.", "Check its owner and mode."
        ) from error
    if len(raw) > _MAX_BYTES:
        raise InvalidInput(f"{path} is larger than 1 MiB.", "Settings are short.", field="settings")
    try:
        entry = tomllib.loads(raw.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(
            f"{path} is not valid TOML: {error}.",
            "See docs/reference/settings.md for an example.",
            field="settings",
        ) from error
    return settings_from(entry)


def settings_from(entry: Mapping[str, Any]) -> Settings:
    """Read settings from parsed TOML; raises InvalidInput naming the setting."""
    _check_known("", entry, [item.name for item in fields(Settings)])
    return Settings(
        policy=_policy(_table(entry, "policy")),
        decisions=_decisions(_table(entry, "decisions")),
        server=ServerSettings(**_plain(ServerSettings, _table(entry, "server"), "server")),
        authorize=AuthorizeSettings(
            **_plain(AuthorizeSettings, _table(entry, "authorize"), "authorize")
        ),
        grpc=GrpcSettings(**_plain(GrpcSettings, _table(entry, "grpc"), "grpc")),
        guardrails=guardrails_from(_table(entry, "guardrails")),
        gates=GateSettings(**_plain(GateSettings, _table(entry, "gates"), "gates")),
        canary=CanarySettings(**_plain(CanarySettings, _table(entry, "canary"), "canary")),
        webhooks=_webhooks(_table(entry, "webhooks")),
        console=_table(entry, "console"),
    )


def _policy(table: Mapping[str, Any]) -> PolicySettings:
    params = {key: value for key, value in table.items() if key != "name"}
    name = check_word(table.get("name", PolicySettings().name), field="policy.name")
    return PolicySettings(name=name, params=params)


def _decisions(table: Mapping[str, Any]) -> DecisionSettings:
    rest = {key: value for key, value in table.items() if key not in {"arms", "clock"}}
    values = _plain(DecisionSettings, rest, "decisions")
    if "arms" in table:
        arms = table["arms"]
        if not isinstance(arms, list) or not all(type(arm) is int for arm in arms):
            raise InvalidInput(
                "decisions.arms must be a list of whole numbers.",
                "Write hundredths, like [70, 85, 100, 115, 130].",
                field="decisions.arms",
            )
        values["arms"] = tuple(arms)
    if "clock" in table:
        try:
            values["clock"] = ClockKind(table["clock"])
        except ValueError as error:
            raise InvalidInput(
                f"decisions.clock {table['clock']!r} is not 'wall' or 'events'.",
                field="decisions.clock",
            ) from error
    return DecisionSettings(**values)


def _webhooks(table: Mapping[str, Any]) -> WebhookSettings:
    _check_known("webhooks", table, [item.name for item in fields(WebhookSettings)])
    return webhooks_from(table)


def _table(entry: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = entry.get(name, {})
    if not isinstance(table, Mapping):
        raise InvalidInput(f"{name} must be a table.", f"Write [{name}].", field=name)
    return table


def _plain(kind: type[Any], table: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Values of a dataclass whose fields are text and numbers."""
    _check_known(where, table, [item.name for item in fields(kind)])
    defaults = kind()
    values: dict[str, Any] = {}
    for key, value in table.items():
        wanted = type(getattr(defaults, key))
        # 3 is as good as 3.0 where any number will do.
        values[key] = float(value) if wanted is float and type(value) is int else value
        if type(values[key]) is not wanted:
            word = {int: "a whole number", float: "a number", str: "text"}[wanted]
            raise InvalidInput(
                f"{where}.{key} must be {word}, not {value!r}.", field=f"{where}.{key}"
            )
    return values


def _check_known(where: str, table: Mapping[str, Any], known: list[str]) -> None:
    for key in table:
        if key not in known:
            near = get_close_matches(key, known, n=1, cutoff=0.0)
            prefix = f"{where}." if where else ""
            raise InvalidInput(
                f"flyball.toml has no setting {prefix}{key[:64]}.",
                f"The nearest one is {prefix}{near[0]}." if near else "",
                field=f"{prefix}{key}",
                code="unknown_setting",
            )


def _within(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise InvalidInput(f"{name} {value} must lie in {low}..{high}.", field=name)
