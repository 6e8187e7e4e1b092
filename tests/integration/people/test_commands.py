"""People at the command line: override, kill, experiment, token."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flyball.home import Home
from ledger.sqlite_ledger import open_ledger

Flyball = Callable[..., Any]
WHY = ("--reason", "renewal talks")


def overrides(flyball: Flyball, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(flyball("override", "list", "--json", *words).out)
    return found


def test_overriding_a_tenant_by_its_alias(flyball: Flyball) -> None:
    said = flyball("override", "key_1", "--kind", "exempt", "--expires", "7d", *WHY)
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("o_1: exempt for t1 until ")
    (found,) = overrides(flyball)
    assert (found["tenantId"], found["author"], found["reason"]) == ("t1", "ann", "renewal talks")
    listed = flyball("override", "list").out
    assert "renewal talks" in listed


def test_choosing_an_arm_of_the_grid(flyball: Flyball) -> None:
    base = ("override", "t1", "--kind", "choose", "--expires", "12h", *WHY)
    assert flyball(*base, "--arm", "0.85").code == 0
    assert overrides(flyball)[0]["multiplier"] == 0.85
    for wrong in ("0.9", "x", "-1", "1e9", "nan"):
        refused = flyball(*base, "--arm", wrong)
        assert refused.code == 2
        assert "arm" in refused.err
    assert flyball(*base).code == 2
    assert len(overrides(flyball)) == 1


def test_ending_an_override(flyball: Flyball) -> None:
    flyball("override", "t1", "--kind", "force", "--expires", "2w", *WHY)
    assert flyball("override", "end", "o_1", "--reason", "signed").code == 0
    assert overrides(flyball) == []
    assert flyball("override", "list").out == "No override is in force.\n"
    assert overrides(flyball, "--all")[0]["endedAt"] is not None
    again = flyball("override", "end", "o_1")
    assert (again.code, "ended already" in again.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("nobody", "--kind", "force", "--expires", "7d", *WHY), "no tenant 'nobody'"),
        (("t1", "--kind", "force", "--expires", "7d"), "--reason"),
        (("t1", "--kind", "force", "--expires", "7d", "--reason", "  "), "reason"),
        (("t1", "--kind", "force", *WHY), "--expires"),
        (("t1", "--kind", "force", "--expires", "7", *WHY), "7d"),
        (("t1", "--kind", "force", "--expires", "2001-01-01T00:00:00Z", *WHY), "end after"),
        (("t1", "--kind", "force", "--expires", "400d", *WHY), "366 days"),
        (("t1", "--kind", "force", "--expires", "99999w", *WHY), "1990-2200"),
        (("t1", "--kind", "force", "--expires", "7d", "--arm", "0.85", *WHY), "takes no arm"),
        (("t1", "--kind", "nice", "--expires", "7d", *WHY), "nice"),
        (("end", "o_77"), "no override 'o_77'"),
    ],
)
def test_a_bad_override_says_what_to_do(
    flyball: Flyball, words: tuple[str, ...], says: str
) -> None:
    said = flyball("override", *words)
    assert said.code == 2
    assert says in said.err
    assert "Traceback" not in said.err
    assert overrides(flyball) == []


def test_the_kill_switch_needs_no_home(flyball: Flyball, tmp_path: Path) -> None:
    at = tmp_path / "fresh"
    assert json.loads(flyball("kill", "status", "--json", at=at).out) == {"on": False}
    assert flyball("kill", "on", "--reason", "incident 7", at=at).code == 0
    state = json.loads(flyball("kill", "status", "--json", at=at).out)
    assert (state["on"], state["author"], state["reason"]) == (True, "ann", "incident 7")
    assert "incident 7" in flyball("kill", "status", at=at).out
    assert "already" in flyball("kill", "on", "--reason", "x", at=at).out
    assert flyball("kill", "off", "--reason", "calm", at=at).code == 0
    assert "already" in flyball("kill", "off", "--reason", "calm", at=at).out
    assert flyball("kill", "on", at=at).code == 2
    assert not (at / "ledger.sqlite").exists()


def test_the_kill_switch_works_with_a_damaged_ledger(flyball: Flyball, tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").write_bytes(b"x" * 5000)
    said = flyball("kill", "on", "--reason", "incident 7", at=tmp_path)
    assert said.code == 0
    assert "not in the audit trail" in said.err
    assert Home(tmp_path).kill.exists()


def test_the_kill_switch_is_audited(flyball: Flyball, home: Home) -> None:
    flyball("kill", "on", "--reason", "incident 7", "--author", "eve")
    flyball("kill", "off", "--reason", "calm")
    with open_ledger(home) as ledger:
        entries = ledger.audit(target="home")
    assert [(e.action, e.author) for e in entries] == [("kill.off", "ann"), ("kill.on", "eve")]


def test_an_experiment_is_started_and_stopped(flyball: Flyball, home: Home) -> None:
    assert "nothing is randomised" in flyball("experiment", "status").out
    said = flyball("experiment", "start", "autumn", "--reason", "learn", "--holdout", ".2")
    assert (said.code, "20%" in said.out) == (0, True)
    (run,) = json.loads(flyball("experiment", "status", "--json").out)
    assert (run["name"], run["running"], run["epsilon"]) == ("autumn", True, 0.05)
    assert flyball("experiment", "start", "winter", "--reason", "more").code == 2
    assert flyball("experiment", "stop").code == 0
    assert flyball("experiment", "stop").code == 2
    with open_ledger(home) as ledger:
        secret = ledger.experiments()[0].experiment.secret
    assert secret.hex() not in flyball("experiment", "status", "--json").out


def test_an_experiment_may_be_dated_for_a_replay(flyball: Flyball) -> None:
    at = "2025-03-01T00:00:00Z"
    flyball("experiment", "start", "past", "--reason", "simulation", "--at", at)
    (run,) = json.loads(flyball("experiment", "status", "--json").out)
    assert run["startedAt"] == at


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("a/b",), "identifier"),
        (("x", "--epsilon", "nan"), "epsilon"),
        (("x", "--epsilon", "0.3"), "0.2"),
        (("x", "--holdout", "1.5"), "holdout"),
        (("x", "--at", "yesterday"), "RFC 3339"),
    ],
)
def test_a_bad_experiment_is_refused(flyball: Flyball, words: tuple[str, ...], says: str) -> None:
    said = flyball("experiment", "start", *words, "--reason", "learn")
    assert said.code == 2
    assert says in said.err
    assert json.loads(flyball("experiment", "status", "--json").out) == []


def test_a_token_is_shown_once(flyball: Flyball, home: Home) -> None:
    said = flyball("token", "create", "--role", "gateway", "--name", "edge", "--expires", "90d")
    text = said.out.strip()
    assert text.startswith("fbt_")
    assert text not in said.err
    (token,) = json.loads(flyball("token", "list", "--json").out)
    assert (token["name"], token["role"], token["valid"]) == ("edge", "gateway", True)
    assert text not in flyball("token", "list").out
    assert text.encode() not in b"".join(p.read_bytes() for p in home.root.rglob("*.*"))
    assert flyball("token", "revoke", token["tokenId"]).code == 0
    assert json.loads(flyball("token", "list", "--json").out)[0]["valid"] is False
    assert flyball("token", "revoke", token["tokenId"]).code == 2
    assert flyball("token", "revoke", "t_none").code == 2
    assert flyball("token", "create", "--role", "king", "--name", "x").code == 2
    assert flyball("token", "create", "--role", "cs", "--name", "a\x1bb").code == 2


def test_people_need_a_ledger_and_are_told_how_to_get_one(flyball: Flyball, tmp_path: Path) -> None:
    at = tmp_path / "none"
    for words in (
        ("override", "list"),
        ("override", "t1", "--kind", "force", "--expires", "7d", *WHY),
        ("override", "end", "o_1"),
        ("experiment", "status"),
        ("experiment", "stop"),
        ("token", "list"),
        ("token", "revoke", "t_1"),
    ):
        said = flyball(*words, at=at)
        assert said.code == 2
        assert "flyball import" in said.err
    assert not at.exists()
