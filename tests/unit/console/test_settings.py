"""The console's settings: read strictly, and documented."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from console.design.band import USUAL, Bands, Level
from console.settings import ConsoleSettings, console_settings_from
from flyball.errors import InvalidInput
from serving.settings import settings_from

REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "console-settings.md"


def test_the_table_of_the_file_is_read() -> None:
    table = settings_from({"console": {"port": 0, "enabled": False}}).console
    assert console_settings_from(table) == ConsoleSettings(port=0, enabled=False)


@pytest.mark.parametrize(
    ("table", "field"),
    [
        ({"prot": 1}, "console.prot"),
        ({"port": "8090"}, "console.port"),
        ({"port": 70_000}, "console.port"),
        ({"enabled": 1}, "console.enabled"),
        ({"session_hours": 0}, "console.session_hours"),
        ({"idle_minutes": 1}, "console.idle_minutes"),
        ({"public_url": "console.example.com"}, "console.public_url"),
        ({"public_url": "https://a.example/flyball"}, "console.public_url"),
        ({"public_url": "ftp://a.example"}, "console.public_url"),
        ({"bands": 1}, "console.bands"),
        ({"bands": {"chrun": [0.1, 0.2]}}, "console.bands.chrun"),
        ({"bands": {"churn": [0.1]}}, "console.bands.churn"),
        ({"bands": {"churn": [True, 0.2]}}, "console.bands.churn"),
        ({"bands": {"churn": [0.2, 0.1]}}, "console.bands.churn"),
        ({"bands": {"upgrade": [0.0, 0.1]}}, "console.bands.upgrade"),
        ({"bands": {"upgrade": [0.1, 1.0]}}, "console.bands.upgrade"),
    ],
)
def test_a_wrong_setting_is_named(table: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInput) as error:
        console_settings_from(table)
    assert error.value.field == field


def test_bands_are_read_and_documented_with_their_defaults() -> None:
    bands = console_settings_from({"bands": {"churn": [0.02, 0.5]}}).bands
    assert (bands.churn, bands.upgrade) == (Bands(0.02, 0.5), USUAL.upgrade)
    assert bands.churn.level(0.5) is Level.HIGH
    rows = dict(
        re.findall(
            r"^\| `console\.bands\.([a-z]+)` \| `\[([^`]*)\]` \|", REFERENCE.read_text("utf-8"),
            re.MULTILINE,
        )
    )  # fmt: skip
    assert rows == {
        name: f"{bands.medium}, {bands.high}"
        for name, bands in (("churn", USUAL.churn), ("upgrade", USUAL.upgrade))
    }


def test_cookies_are_secure_where_people_come_over_tls() -> None:
    assert not ConsoleSettings().secure
    assert ConsoleSettings(public_url="https://console.example.com").secure


def test_every_setting_is_documented_with_its_default() -> None:
    text = REFERENCE.read_text("utf-8")
    rows = dict(re.findall(r"^\| `console\.([a-z_]+)` \| `([^`]*)` \|", text, re.MULTILINE))
    shown = {
        item.name: f'"{item.default}"' if isinstance(item.default, str)
        else str(item.default).lower()
        for item in fields(ConsoleSettings)
        if item.name not in ("oidc", "bands")
    }  # fmt: skip
    assert rows == shown
