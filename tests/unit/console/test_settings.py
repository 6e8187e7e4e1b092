"""The console's settings: read strictly, and documented."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

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
    ],
)
def test_a_wrong_setting_is_named(table: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInput) as error:
        console_settings_from(table)
    assert error.value.field == field


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
        if item.name != "oidc"
    }  # fmt: skip
    assert rows == shown
