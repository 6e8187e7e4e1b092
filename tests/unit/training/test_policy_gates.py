"""Gates on the policy refuse what loses, what harms a segment, and effects that are fiction."""

from __future__ import annotations

from pathlib import Path

import pytest

from flyball.economics import Economics
from flyball.plan import Limit, Plan
from tests.unit.training.claims import Claims
from training.candidate import Fitted, fit_and_judge
from training.contract import Contract
from training.gate import Gate, Verdict
from training.rehearsal import World, rehearse
from training.stakes import Stakes

REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "gates.md"


def _plan(name: str, rank: int, price: int) -> Plan:
    limit = Limit(base=100, contract=70, per="hour")
    return Plan(
        plan=name,
        rank=rank,
        monthly_price_minor=price,
        currency="USD",
        primary_meter="api.requests",
        limits={"api.requests": limit},
    )


STAKES = Stakes(
    economics=Economics(),
    plans={"basic": _plan("basic", 1, 10_000), "pro": _plan("pro", 2, 20_000)},
)


def _judged(world: World, claims: Claims | None, stakes: Stakes | None = STAKES) -> Fitted:
    contract = Contract(
        features=world.features,
        feature_hash="ab" * 8,
        factor_groups={"demand": world.features[:2], "people": world.features[2:]},
    )
    return fit_and_judge(rehearse(world), contract, estimator=claims, stakes=stakes)


def _gates(fitted: Fitted) -> dict[str, Gate]:
    return {gate.name: gate for gate in fitted.gates.gates}


HARMFUL = World(
    tenants=1500,
    weeks=18,
    base=(0.04, 0.01, 0.04),
    churn_effect=0.8,
    segment_factor=2.0,
    organisation_share=0.1,
)


@pytest.fixture(scope="module")
def lied() -> Fitted:
    """A model that promises upgrades from friction, in a world where friction only drives away."""
    return _judged(HARMFUL, Claims(upgrade=0.5, churn=0.0))


def test_a_policy_that_loses_money_is_refused(lied: Fitted) -> None:
    gates = _gates(lied)
    assert gates["off_policy_value.equal"].verdict is Verdict.FAILED
    assert gates["off_policy_value.money"].verdict is Verdict.FAILED
    assert lied.gates.status == "failed"
    assert lied.policy.figures["off_policy_value.money.raw.ceiling"] < 0.0


def test_a_policy_that_drives_a_segment_away_is_refused(lied: Fitted) -> None:
    failed = {gate.name for gate in lied.gates.failed}
    assert "churn_harm" in failed
    assert "churn_harm.smb" in failed


def test_effects_that_are_not_there_are_refused(lied: Fitted) -> None:
    assert _gates(lied)["effect_calibration.upgrade"].verdict is Verdict.FAILED
    assert _gates(lied)["effect_calibration.churn"].reason == "no effect on it was found"


def test_a_policy_that_is_right_is_not_refused() -> None:
    world = World(
        tenants=1500, weeks=14, base=(0.04, 0.01, 0.02), upgrade_effect=0.5, organisation_share=0.1
    )
    fitted = _judged(world, None)
    gates = _gates(fitted)
    assert fitted.effects.present
    assert not [gate.sentence() for gate in fitted.gates.failed]
    assert gates["effect_calibration.upgrade"].verdict is Verdict.PASSED
    assert gates["off_policy_value.equal"].verdict is Verdict.PASSED
    assert fitted.policy.figures["policy.friction_share"] > 0.1


def test_without_effects_or_money_the_policys_gates_cannot_speak() -> None:
    quiet = World(tenants=300, weeks=8)
    for fitted in (
        _judged(quiet, None),
        _judged(quiet, Claims(upgrade=0.5, churn=0.0), Stakes()),
        _judged(World(tenants=300, weeks=8, drawn=False), Claims(upgrade=0.5, churn=0.0)),
    ):
        silent = [g for g in fitted.gates.gates if g.name.startswith(("off_policy", "churn_harm"))]
        assert silent
        assert {gate.verdict for gate in silent} == {Verdict.NOT_APPLICABLE}
        assert all(gate.reason for gate in silent)


def test_every_gate_on_the_policy_is_documented(lied: Fitted) -> None:
    page = REFERENCE.read_text()
    for gate in lied.gates.gates:
        assert f"`{gate.name.split('.')[0]}`" in page
