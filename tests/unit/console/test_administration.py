"""Administration: who comes in and sees what, the audit, guardrails, the kill switch."""

from __future__ import annotations

import csv
import io
import re

import pytest

from console.administration import rules
from console.desk import Desk
from flyball.guardrail_settings import DEFAULT_GUARDRAILS, GuardrailSettings, guardrails_from
from ledger.kill import kill_state
from ledger.users import Sees, SeesKind, UserRole
from tests.unit.console.conftest import NOW_US, PASSWORD, Call, Caller


def seeded(desk: Desk) -> None:
    desk.ledger.put_setting(
        "guardrails", DEFAULT_GUARDRAILS.as_mapping(), author="flyball.toml", now_us=NOW_US - 1
    )


def typed(**changed: str) -> dict[str, str]:
    """The guardrails' form as it is shown, with changes."""
    shown = {
        rule.name: ("1" if rule.on else "") if rule.switch else rule.text
        for _, group in rules.rules_of(DEFAULT_GUARDRAILS)
        for rule in group
    }
    return shown | {"version": "1", "reason": "a test"} | changed


def test_every_guardrail_is_on_the_form_or_named_beside_it() -> None:
    from dataclasses import fields

    elsewhere = {"friction_share_by_segment", "spike"}
    assert {item.name for item in fields(GuardrailSettings)} == {*rules.NAMES, *elsewhere}


def test_a_changed_guardrail_is_a_version_with_a_reason(desk: Desk, call: Call) -> None:
    seeded(desk)
    status, address = call("ann").post(
        "/console/guardrails", typed(friction_share="0.3", harm_budget="", spike_rule="")
    )
    assert (status, address) == (303, "/console/guardrails")
    found = desk.ledger.setting("guardrails")
    assert found is not None
    settings = guardrails_from(found.content)
    assert (settings.friction_share, settings.harm_budget, settings.spike_rule) == (
        0.3,
        None,
        False,
    )
    assert (found.version, found.author, found.reason) == (2, "ann", "a test")
    assert settings.renewal_days == DEFAULT_GUARDRAILS.renewal_days
    assert desk.ledger.audit(target="guardrails")[0].action == "setting.put"


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"friction_share": "1.5"}, "must lie in 0.0..1.0"),
        ({"friction_share": "half"}, "is not a number"),
        ({"friction_share": "nan"}, "must lie in"),
        ({"renewal_days": ""}, "A number is needed"),
        ({"renewal_days": "3.5"}, "must be a whole number"),
        ({"reason": " "}, "reason"),
        ({"version": "0"}, "meanwhile"),
    ],
)
def test_a_wrong_guardrail_is_told_beside_its_field_and_changes_nothing(
    desk: Desk, call: Call, changed: dict[str, str], told: str
) -> None:
    seeded(desk)
    status, text = call("ann").post("/console/guardrails", typed(**changed))
    assert status == 422
    assert told in text
    assert 'role="alert"' in text or 'class="error"' in text
    assert len(desk.ledger.setting_versions("guardrails")) == 1


def test_before_the_first_start_guardrails_cannot_be_changed(desk: Desk, call: Call) -> None:
    status, text = call("ann").post("/console/guardrails", typed())
    assert status == 422
    assert "Start flyball serve once" in text
    assert desk.ledger.setting("guardrails") is None


def test_everybody_sees_guardrails_and_only_admins_change_them(desk: Desk, call: Call) -> None:
    seeded(desk)
    caller = call("vic")
    status, text = caller.get("/console/guardrails")
    assert status == 200
    assert "Administrators change these" in text
    assert caller.post("/console/guardrails", typed(friction_share="0"))[0] == 403
    assert len(desk.ledger.setting_versions("guardrails")) == 1


def person(caller: Caller, **fields: str) -> tuple[int, str]:
    usual = {"login": "kim", "name": "Kim", "email": "kim@example.com", "role": "cs",
             "sees": "owner=bo\nregion=eu", "password": PASSWORD}  # fmt: skip
    return caller.post("/console/users", usual | fields)


def test_a_new_user_signs_in_and_sees_what_their_rules_say(desk: Desk, call: Call) -> None:
    status, address = person(call("ann"))
    assert status == 303
    user = desk.ledger.user_named("kim")
    assert user is not None
    assert address == f"/console/users/{user.user_id}"
    assert user.sees == (Sees(SeesKind.OWNER, "bo"), Sees(SeesKind.REGION, "eu"))
    kim = call("kim")
    assert "3 accounts" in kim.get("/console/")[1]
    assert kim.get("/console/users")[0] == 403


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"login": "bo"}, "There is a user bo already"),
        ({"login": "no spaces"}, "cannot be a login"),
        ({"sees": "everything"}, "does not say which tenants"),
        ({"role": "root"}, "Choose one of the roles"),
        ({"email": "kim@example.com\nBcc: all@example.com"}, "is not an address"),
        ({"password": "short"}, "10 to 256 characters"),
    ],
)
def test_a_wrong_user_is_told_beside_its_field(
    desk: Desk, call: Call, fields: dict[str, str], told: str
) -> None:
    status, text = person(call("ann"), **fields)
    assert status == 422
    assert told in text
    assert desk.ledger.user_named("kim") is None


def test_a_disabled_user_is_out_at_once_and_rules_hold_from_the_next_page(
    desk: Desk, call: Call
) -> None:
    ann, bo = call("ann"), call("bo")
    user = desk.ledger.user_named("bo")
    assert user is not None
    form = {"name": "Bo", "email": "", "role": "cs", "sees": "owner=cy", "enabled": "1"}
    assert ann.post(f"/console/users/{user.user_id}", form)[0] == 303
    assert bo.get("/console/accounts/t1")[0] == 404
    assert bo.get("/console/accounts/t3")[0] == 200
    assert ann.post(f"/console/users/{user.user_id}", form | {"enabled": ""})[0] == 303
    assert bo.get("/console/accounts/t3")[0] == 303
    assert ann.get("/console/users/nobody")[0] == 404


def test_the_last_administrator_stays_one(desk: Desk, call: Call) -> None:
    ann, user = call("ann"), desk.ledger.user_named("ann")
    assert user is not None
    for fields in ({"role": "lead", "enabled": "1"}, {"role": "admin", "enabled": ""}):
        status, text = ann.post(
            f"/console/users/{user.user_id}", {"name": "Ann", "sees": "all"} | fields
        )
        assert status == 422
        assert "last administrator" in text
    kept = desk.ledger.user_named("ann")
    assert kept is not None
    assert kept.enabled
    assert kept.role is UserRole.ADMIN


def test_the_kill_switch_needs_a_reason_and_a_confirmation(desk: Desk, call: Call) -> None:
    ann = call("ann")
    assert "1 account that" in re.sub(r"\s+", " ", ann.get("/console/kill")[1])
    assert ann.post("/console/kill", {"move": "on", "reason": "odd"})[0] == 422
    assert ann.post("/console/kill", {"move": "on", "sure": "1", "reason": ""})[0] == 422
    assert kill_state(desk.home) is None
    assert ann.post("/console/kill", {"move": "on", "sure": "1", "reason": "odd"})[0] == 303
    state = kill_state(desk.home)
    assert state is not None
    assert (state.author, state.reason) == ("ann", "odd")
    assert "It is on" in ann.get("/console/kill")[1]
    assert call("bo").post("/console/kill", {"move": "off", "sure": "1", "reason": "x"})[0] == 403
    assert ann.post("/console/kill", {"move": "off", "sure": "1", "reason": "fine"})[0] == 303
    assert kill_state(desk.home) is None
    assert [entry.action for entry in desk.ledger.audit(target="home")] == ["kill.off", "kill.on"]


def test_the_audit_is_searched_and_exported_without_formulas(desk: Desk, call: Call) -> None:
    desk.ledger.append_audit(
        now_us=NOW_US, author="=cmd|' /C calc'!A0", action="override.add", target="t1",
        reason="<script>alert(1)</script>",
    )  # fmt: skip
    ann = call("ann")
    status, text = ann.get("/console/audit?action=override.add")
    assert status == 200
    assert "1 act found" in text
    assert "<script>alert" not in text
    assert "No act fits" in ann.get("/console/audit?q=nothing+like+it")[1]
    assert "No act fits" in ann.get("/console/audit?until=2001-01-01")[1]
    rows = list(csv.DictReader(io.StringIO(ann.get("/console/audit.csv?q=SCRIPT")[1])))
    assert [row["author"] for row in rows] == ["'=cmd|' /C calc'!A0"]
    assert desk.ledger.audit(target="audit")[0].action == "audit.export"
    for address in ("/console/audit", "/console/audit.csv"):
        assert call("bo").get(address)[0] == 403


def test_acts_on_accounts_out_of_reach_are_not_in_the_audit(desk: Desk, call: Call) -> None:
    for target in ("t1", "t3", "home"):
        desk.ledger.append_audit(now_us=NOW_US, author="x", action="odd.act", target=target)
    user = desk.ledger.user_named("ann")
    assert user is not None
    desk.ledger.change_user(
        user.user_id, sees=[Sees(SeesKind.OWNER, "bo")], author="tests", now_us=NOW_US
    )
    rows = csv.DictReader(io.StringIO(call("ann").get("/console/audit.csv?action=odd.act")[1]))
    assert [row["target"] for row in rows] == ["home", "t1"]
