"""What a person can type wrong: each gets what to do next, never a stack trace."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.robustness.process import Typed, flyball

OVERRIDE = ("--reason", "x", "--expires", "7d")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("override", "ghost", "--kind", "choose", "--arm", "0.85", *OVERRIDE), "no tenant"),
        (("override", "{t}", "--kind", "choose", "--arm", "0.8512", *OVERRIDE), "0.8512"),
        (("override", "{t}", "--kind", "choose", "--arm", "nan", *OVERRIDE), "nan"),
        (("override", "{t}", "--kind", "choose", "--arm", "0.99", *OVERRIDE), "0.99"),
        (("override", "{t}", "--kind", "choose", *OVERRIDE), "arm"),
        (("override", "a/../\u202eb", "--kind", "exempt", *OVERRIDE), "no tenant"),
        (("decide", "--as-of", "2026-01-01T00:00:00"), "with a zone"),
        (("decide", "--as-of", "2199-01-01T00:00:00Z"), "future"),
        (("decide", "--mode", "live", "--as-of", "2199-01-01T00:00:00Z"), "future"),
        (("decide", "--as-of", "2001-01-01T00:00:00Z"), "Nobody had an account"),
        (("decide", "--policy", "ghost"), "Known are"),
        (("decide", "--policy", "constant", "--policy-arm", "inf"), "0.85"),
        (("decide", "--tenants", "ghost"), "ghost"),
        (("decide", "--out", "x.xls"), ".parquet"),
        (("dataset", "--as-of", "2001-01-01T00:00:00Z", "--out", "x.csv"), "Nobody"),
        (("dataset", "--as-of", "2199-01-01T00:00:00Z", "--out", "x.csv"), "future"),
        (("dataset", "--tenants", "ghost", "--out", "x.csv"), "ghost"),
        (("token", "revoke", "ghost"), "token"),
    ],
)
def test_a_mistake_on_a_filled_home(
    typed: Typed, filled: Path, tightened: str, arguments: tuple[str, ...], says: str
) -> None:
    ended = typed(filled, *(part.replace("{t}", tightened) for part in arguments))
    assert ended.code == 2, ended.err
    assert says in ended.err
    assert ended.calm


@pytest.mark.train
@pytest.mark.parametrize("arguments", [("train",), ("promote", "7"), ("rollback",)])
def test_learning_from_an_empty_home(
    typed: Typed, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    ended = typed(tmp_path / "home", *arguments)
    assert ended.code == 2, ended.err
    assert "flyball" in ended.err.split("\n", 1)[1]
    assert ended.calm


@pytest.mark.parametrize(
    "arguments",
    [("decide",), ("dataset", "--out", "x.csv"), ("override", "list"), ("token", "list")],
)
def test_asking_an_empty_home(typed: Typed, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    ended = typed(tmp_path / "home", *arguments)
    assert ended.code == 2
    assert "flyball import" in ended.err
    assert ended.calm
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("#" * 2_000_000, "larger than"),
        ("[server]\nprot = 1\n", "server.port"),
        ("[policy]\nname = 'ghost'\n", "Known are"),
        ("[policy]\nname = 'constant'\narn = 85\n", "arn"),
        ("[decisions]\narms = [70, 85]\n", "100"),
        ("[server\n", "not valid TOML"),
        ("\x00\x01", "not valid TOML"),
    ],
)
def test_settings_that_cannot_be_used(tmp_path: Path, content: str, says: str) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "flyball.toml").write_text(content)
    ended = flyball(home, "serve", "--port", "0")
    assert ended.code == 2, ended.err
    assert says in ended.err
    assert ended.calm
