"""The settings of the identity provider: strict, documented, and never a secret among them."""

from __future__ import annotations

import re
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from console.access import openid_door
from console.access.openid_settings import OpenIdSettings, check_address
from console.settings import console_settings_from
from flyball.errors import InvalidInput

REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "console-settings.md"
RIGHT = {"issuer": "https://id.example.com", "client_id": "flyball"}


def test_the_table_is_read() -> None:
    table = RIGHT | {"provision": True, "provision_sees": ["region=eu"], "passwords": False}
    oidc = console_settings_from({"port": 0, "oidc": table}).oidc
    assert oidc.configured
    assert not oidc.passwords_taken
    assert [str(rule) for rule in oidc.newcomers_see] == ["region=eu"]


def test_without_a_provider_passwords_are_taken() -> None:
    oidc = console_settings_from({}).oidc
    assert not oidc.configured
    assert oidc.passwords_taken


@pytest.mark.parametrize(
    ("table", "field"),
    [
        ({"isuer": "x"}, "console.oidc.isuer"),
        ({"issuer": "http://id.example.com", "client_id": "x"}, "console.oidc.issuer"),
        ({"issuer": "https://a@id.example.com", "client_id": "x"}, "console.oidc.issuer"),
        ({"issuer": "https://id.example.com"}, "console.oidc.client_id"),
        ({"client_id": "flyball"}, "console.oidc.issuer"),
        (RIGHT | {"scopes": "email"}, "console.oidc.scopes"),
        (RIGHT | {"provision": 1}, "console.oidc.provision"),
        (RIGHT | {"provision_role": "king"}, "console.oidc.provision_role"),
        (RIGHT | {"provision_sees": "all"}, "console.oidc.provision_sees"),
        (RIGHT | {"name": " "}, "console.oidc.name"),
    ],
)
def test_a_wrong_setting_is_named(table: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInput) as error:
        console_settings_from({"oidc": table})
    assert error.value.field == field


def test_a_rule_of_what_newcomers_see_is_read_at_the_start() -> None:
    with pytest.raises(InvalidInput):
        OpenIdSettings(**RIGHT, provision_sees=("planet=mars",))  # type: ignore[arg-type]


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost", "[::1]:9"])
def test_this_machine_may_be_asked_over_http(host: str) -> None:
    assert check_address(f"http://{host}/x", field="f")


@pytest.mark.parametrize("host", ["127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.1"])
def test_others_may_not(host: str) -> None:
    with pytest.raises(InvalidInput):
        check_address(f"http://{host}/x", field="f")


def test_the_secret_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = OpenIdSettings(issuer="https://id.example.com", client_id="f", secret_env="TESTS_S")
    with pytest.raises(InvalidInput, match="TESTS_S"):
        settings.secret()
    monkeypatch.setenv("TESTS_S", "hidden")
    assert settings.secret() == "hidden"
    assert "hidden" not in repr(settings)


def test_a_missing_library_is_said_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("console.access.openid_")]:
        if name != "console.access.openid_settings":
            monkeypatch.delitem(sys.modules, name)
    for name in [name for name in sys.modules if name.split(".")[0] == "joserfc"] + ["joserfc"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(InvalidInput, match=r"flyball\[oidc\]") as error:
        openid_door.routes(OpenIdSettings(**RIGHT, secret_env=""))  # type: ignore[arg-type]
    assert error.value.field == "console.oidc"


def test_every_setting_is_documented_with_its_default() -> None:
    text = REFERENCE.read_text("utf-8")
    rows = dict(re.findall(r"^\| `console\.oidc\.([a-z_]+)` \| `([^`]*)` \|", text, re.MULTILINE))
    shown = {}
    for item in fields(OpenIdSettings):
        value = item.default
        shown[item.name] = (
            f'"{value}"' if isinstance(value, str)
            else "[]" if value == ()
            else str(value).lower()
        )  # fmt: skip
    assert rows == shown
