"""Settings: defaults, errors that name the nearest setting, and docs that list every one."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from flyball.canary import CanarySettings
from flyball.errors import InvalidInput
from flyball.gate_settings import GateSettings
from flyball.guardrail_settings import GuardrailSettings
from flyball.spike import SpikeSettings
from serving.envoy.grpc_settings import GrpcSettings
from serving.forward_auth.authorize_settings import AuthorizeSettings
from serving.settings import (
    ClockKind,
    DecisionSettings,
    ServerSettings,
    Settings,
    load_settings,
    settings_from,
)
from serving.webhooks.endpoint import WebhookSettings

REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "settings.md"


def test_a_missing_file_gives_the_defaults(tmp_path: Path) -> None:
    assert load_settings(tmp_path / "flyball.toml") == Settings()


def test_every_table_is_read(tmp_path: Path) -> None:
    path = tmp_path / "flyball.toml"
    path.write_text(
        '[policy]\nname = "constant"\narm = 85\n'
        '[decisions]\narms = [85, 100]\nclock = "events"\nperiod_days = 14\n'
        "[server]\nport = 0\n"
        "[gates]\nlatency_ratio = 4\n"
        "[guardrails]\nspike_rule = false\n[guardrails.spike]\nhour_ratio = 5\n"
    )
    settings = load_settings(path)
    assert settings.policy.name == "constant"
    assert settings.policy.params == {"arm": 85}
    assert settings.decisions.grid.arms == (85, 100)
    assert settings.decisions.clock is ClockKind.EVENTS
    assert settings.server.port == 0
    assert settings.gates.latency_ratio == 4.0
    assert settings.guardrails.spike_rule is False
    assert settings.guardrails.spike.hour_ratio == 5.0


@pytest.mark.parametrize(
    ("entry", "field", "hint"),
    [
        ({"sever": {}}, "sever", "server"),
        ({"server": {"prot": 1}}, "server.prot", "server.port"),
        ({"decisions": {"tick": 1}}, "decisions.tick", "decisions.tick_ms"),
        ({"guardrails": {"spike_rul": 1}}, "guardrails.spike_rul", "spike_rule"),
        ({"server": {"port": "8080"}}, "server.port", ""),
        ({"server": {"port": True}}, "server.port", ""),
        ({"server": {"port": 70_000}}, "server.port", ""),
        ({"server": {"host": " "}}, "server.host", ""),
        ({"server": 3}, "server", ""),
        ({"decisions": {"arms": [85, 115]}}, "arms", ""),
        ({"decisions": {"arms": "85"}}, "decisions.arms", ""),
        ({"decisions": {"arms": [0.85, 1.0]}}, "decisions.arms", "hundredths"),
        ({"decisions": {"clock": "sundial"}}, "decisions.clock", ""),
        ({"decisions": {"period_days": 0}}, "decisions.period_days", ""),
        ({"policy": {"name": 3}}, "policy.name", ""),
        ({"gates": {"parrity": 1}}, "gates.parrity", "gates.parity"),
        ({"gates": {"parity": "tiny"}}, "gates.parity", "a number"),
        ({"gates": {"churn_cap": 1.2}}, "gates.churn_cap", "0..1"),
        ({"gates": {"min_events": 2.5}}, "gates.min_events", "a whole number"),
        ({"gates": {"latency_ratio": float("nan")}}, "gates.latency_ratio", ""),
        ({"gates": {"slope_low": 2.0}}, "gates.slope_low", "gates.slope_high"),
        ({"canary": {"share": 0.6}}, "canary.share", "Promote"),
        ({"canary": {"shares": 0.1}}, "canary.shares", "canary.share"),
        ({"webhooks": {"url": "http://example.com/x"}}, "webhooks.url", "https"),
        ({"webhooks": {"url": "https://me:secret@example.com/"}}, "webhooks.url", "password"),
        ({"webhooks": {"url": "https://"}}, "webhooks.url", ""),
        ({"webhooks": {"url": 3}}, "webhooks.url", "text"),
        ({"webhooks": {"events": "notice"}}, "webhooks.events", ""),
        ({"webhooks": {"events": ["No tice"]}}, "webhooks.events", ""),
        ({"webhooks": {"timeout_seconds": 0}}, "webhooks.timeout_seconds", "1..60"),
        ({"webhooks": {"urls": ""}}, "webhooks.urls", "webhooks.url"),
    ],
)
def test_a_wrong_setting_is_named(entry: dict[str, object], field: str, hint: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        settings_from(entry)
    assert caught.value.field == field
    assert hint in str(caught.value)


@pytest.mark.parametrize("raw", [b"[server", b"\xff", b"a = 1\na = 2\n", b"x" * (2 << 20)])
def test_a_damaged_file_says_so(raw: bytes, tmp_path: Path) -> None:
    path = tmp_path / "flyball.toml"
    path.write_bytes(raw)
    with pytest.raises(InvalidInput):
        load_settings(path)


def test_every_setting_is_documented_and_nothing_else_is() -> None:
    tables = {
        "decisions": DecisionSettings,
        "server": ServerSettings,
        "authorize": AuthorizeSettings,
        "grpc": GrpcSettings,
        "gates": GateSettings,
        "canary": CanarySettings,
        "webhooks": WebhookSettings,
    }
    expected = {"policy.name"}
    for table, kind in tables.items():
        expected |= {f"{table}.{item.name}" for item in fields(kind)}
    expected |= {f"guardrails.{f.name}" for f in fields(GuardrailSettings) if f.name != "spike"}
    expected |= {f"guardrails.spike.{item.name}" for item in fields(SpikeSettings)}
    documented = re.findall(r"^\| `([a-z_.]+)` \|", REFERENCE.read_text("utf-8"), re.MULTILINE)
    assert sorted(documented) == sorted(expected)


def test_documented_defaults_are_the_defaults() -> None:
    text = REFERENCE.read_text("utf-8")
    settings = Settings()
    rows = re.findall(r"^\| `([a-z_.]+)` \| `([^`]*)` \|", text, re.MULTILINE)
    for name, default in rows:
        value: object = settings
        for part in name.split("."):
            value = getattr(value, part)
        if isinstance(value, ClockKind):
            value = value.value
        shown = {True: "true", False: "false", None: '"none"'}.get(value) if (
            value is None or isinstance(value, bool)
        ) else f'"{value}"' if isinstance(value, str) else str(
            list(value) if isinstance(value, tuple) else value
        )  # fmt: skip
        assert shown == default, name


def test_the_documented_example_is_valid(tmp_path: Path) -> None:
    example = re.search(r"```toml\n(.*?)```", REFERENCE.read_text("utf-8"), re.DOTALL)
    assert example is not None
    path = tmp_path / "flyball.toml"
    path.write_text(example[1])
    assert load_settings(path).guardrails.share_of("enterprise") == 0.1
