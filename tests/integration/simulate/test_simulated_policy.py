"""Policies as a grid names them, and what the product said while they were played."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from commands.simulated_policy import simulated_policy
from commands.simulation_tally import Tally
from flyball.budget import Budgets
from flyball.case import Case
from flyball.deciding import decide_tenant
from flyball.errors import FlyballError
from flyball.guardrail_settings import GuardrailSettings
from flyball.instant import DAY_US, parse_instant
from flyball.outlook import ArmEffect, Estimate, Outlook, Trust
from flyball.plan import Limit
from flyball.policies.registry import policy_named
from flyball.round import Round
from flyball.state import TenantState
from serving.settings import load_settings

MONDAY = parse_instant("2026-03-02T00:00:00Z")


def test_a_budget_after_the_name_reaches_the_homes_settings(tmp_path: Path) -> None:
    path = tmp_path / "flyball.toml"
    asked = simulated_policy("value@0.6")
    asked.configure(path)
    assert load_settings(path).guardrails.harm_budget == pytest.approx(0.006)
    assert asked.policy.name == "value"


def test_reckless_tightens_everybody_without_a_budget(tmp_path: Path) -> None:
    path = tmp_path / "flyball.toml"
    simulated_policy("reckless").configure(path)
    assert load_settings(path).guardrails.harm_budget is None
    plain = tmp_path / "plain.toml"
    simulated_policy("value").configure(plain)
    assert not plain.exists()


@pytest.mark.parametrize("word", ["value@x", "value@-1", "value@nan", "valeu@1"])
def test_what_is_no_budget_or_policy_is_refused(word: str) -> None:
    with pytest.raises(FlyballError):
        simulated_policy(word)


def test_the_tally_keeps_choice_prediction_and_exploration_apart() -> None:
    state = TenantState(
        tenant_id="t", limits=(Limit(base=1000, contract=700),), segment="s",
        created_us=MONDAY - 400 * DAY_US, features_us=MONDAY,
    )  # fmt: skip
    effect = ArmEffect(arm=85, dose=0.1, trust=Trust.POOLED, churn=Estimate(0.002, 0.004))
    case = Case(state=state, outlook=Outlook(hazards=None, effects={85: effect}))
    this = Round(
        as_of_us=MONDAY,
        policy=policy_named("constant", arm=85),
        guardrails=GuardrailSettings(harm_budget=None, friction_share=1.0),
    )
    decision = decide_tenant(this, case, Budgets(this.guardrails, segment_sizes={"s": 1}))
    tally = Tally()
    tally.add([decision], [case.outlook], caution=0.25)
    tally.add([replace(decision, proposed_arm=100, served_arm=100)], [case.outlook], caution=0.25)
    assert tally.figures() == {
        "chosen_at_one_percent": 50.0,
        "chosen_friction_percent": 50.0,
        # 0.3 where it was chosen; the same draw without the doubt where it was not.
        "predicted_harm_percent": pytest.approx(0.5),
        "weeks_to_detect_harm": None,
    }
    for harmful in (False, True, True):
        tally.looked(harmful)
    assert tally.weeks_to_detect_harm == 2
