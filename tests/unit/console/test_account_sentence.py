"""What a customer could be told says the limit and why, and nothing about chances."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest

from console.account.sentence import sentence
from console.standings.row import Standing
from flyball.reason import Reason


def _row(**known: object) -> Standing:
    blank: dict[str, object] = {field.name: None for field in fields(Standing)}
    blank |= {"per": "hour", "meter": "api.requests", "base_limit": 2_000, "contract_limit": 1_400}
    blank["floor"] = 0
    return Standing(**(blank | known))  # type: ignore[arg-type]


def test_friction_names_limit_plan_and_promise() -> None:
    told = sentence(_row(arm=85, reasons=json.dumps(["upgrade_effect_outweighs_churn"])))
    assert told == (
        "Your limit is 1,700 api.requests an hour for now, out of your plan's 2,000, and never "
        "less than the 1,400 that you are promised. Your limit is adjusted within your plan's "
        "terms."
    )


def test_more_room_is_told_as_such() -> None:
    told = sentence(_row(arm=115, reasons=json.dumps(["relief_outweighs_cost"])))
    assert told.startswith("Your limit is 2,300 api.requests an hour for now, more than")


def test_an_unchanged_limit_is_said_once() -> None:
    assert (
        sentence(_row(arm=100, reasons=json.dumps(["static_policy"])))
        == "Your limit is your plan's: 2,000 api.requests an hour."
    )


def test_a_shield_is_told_where_there_is_one() -> None:
    told = sentence(_row(arm=100, reasons=json.dumps(["incident"])))
    assert told.endswith("No reduction is applied while a service incident is open.")


@pytest.mark.parametrize("arm", [85, 100, 115])
def test_while_the_kill_switch_is_on_the_plans_limit_is_told(arm: int) -> None:
    row = _row(arm=arm, reasons=json.dumps(["relief_outweighs_cost"]))
    assert sentence(row, killed=True) == "Your limit is your plan's: 2,000 api.requests an hour."


def test_what_is_stored_holds_a_limit_up_and_that_is_told() -> None:
    storage = {"per": None, "meter": "storage.gb", "base_limit": 1_000}
    held = _row(arm=85, floor=93, reasons=json.dumps(["constant_policy"]), **storage)
    told = sentence(held)
    assert told.startswith("Your limit is 930 storage.gb for now, out of your plan's 1,000")
    assert told.endswith("It is never less than what you have stored.")
    over = sentence(_row(arm=85, floor=120, reasons=json.dumps(["spike"]), **storage), killed=True)
    assert over.startswith("Your limit is 1,200 storage.gb for now, more than your plan's 1,000.")
    fits = sentence(_row(arm=85, floor=40, reasons=json.dumps(["constant_policy"]), **storage))
    assert "850 storage.gb for now" in fits
    assert "stored" not in fits


def test_an_account_without_a_plan_is_left_to_the_gateway() -> None:
    assert "gateway" in sentence(_row(base_limit=None))


@pytest.mark.parametrize("reason", list(Reason))
@pytest.mark.parametrize("arm", [70, 100, 130])
def test_no_reason_lets_out_what_a_customer_must_not_read(reason: Reason, arm: int) -> None:
    row = _row(arm=arm, reasons=json.dumps([reason.value]), churn=0.31, upgrade=0.27)
    told = sentence(row).lower()
    for word in ("chance", "probab", "score", "churn", "experiment", "model", "%", "31", "27"):
        assert word not in told
