"""The simple policies, and how people name and set them."""

from __future__ import annotations

import pytest

from flyball.errors import InvalidInput
from flyball.outlook import Hazards, Outlook
from flyball.policies.registry import POLICIES, policy_named
from flyball.policy import TenantView
from flyball.reason import Reason

ARMS = (70, 85, 100, 115, 130)


def view(
    upgrade: float = 0.0, churn: float = 0.0, segment: str = "", arms: tuple[int, ...] = ARMS
) -> TenantView:
    hazards = Hazards(upgrade=upgrade, downgrade=0.0, churn=churn)
    return TenantView(
        tenant_id="t", arms=arms, outlook=Outlook(hazards=hazards, effects={}), segment=segment
    )


def test_static_stays_and_relax_relaxes() -> None:
    assert policy_named("static").propose(view(0.9, 0.9)).arm == 100
    assert policy_named("relax").propose(view()).arm == 115
    assert policy_named("relax", arm=130).propose(view(arms=(85, 100, 115))).arm == 115


def test_the_risk_rule_relaxes_for_those_at_risk_and_tightens_for_the_keen() -> None:
    policy = policy_named("risk_rule")
    assert policy.propose(view(churn=0.05))[:2] == (115, (Reason.HIGH_CHURN_RISK,))
    assert policy.propose(view(upgrade=0.1))[:2] == (85, (Reason.HIGH_UPGRADE_CHANCE,))
    assert policy.propose(view(upgrade=0.1, churn=0.01))[:2] == (100, (Reason.NO_RULE_APPLIES,))
    assert policy.propose(view())[:2] == (100, (Reason.NO_RULE_APPLIES,))


def test_the_segment_policy_follows_its_table() -> None:
    policy = policy_named("segment", arms={"startup": 130, "smb": 85})
    assert policy.propose(view(segment="startup")).arm == 130
    assert policy.propose(view(segment="smb")).arm == 85
    assert policy.propose(view(segment="other"))[:2] == (100, (Reason.NO_RULE_APPLIES,))


def test_the_constant_policy_goes_as_far_as_it_may() -> None:
    policy = policy_named("constant", arm=70)
    assert policy.propose(view()).arm == 70
    assert policy.propose(view(arms=(85, 100, 115))).arm == 85
    assert policy.propose(view(arms=(100, 115))).arm == 100


def test_versions_change_with_parameters() -> None:
    versions = {
        policy_named("risk_rule").version,
        policy_named("risk_rule", churn_high=0.2).version,
        policy_named("risk_rule", tightened=70).version,
    }
    assert len(versions) == 3
    assert policy_named("segment", arms={"a": 85, "b": 70}).version == "1:a=85,b=70"


def test_policies_are_listed_simplest_first() -> None:
    assert list(POLICIES) == ["static", "constant", "relax", "risk_rule", "segment", "value"]
    assert all(policy_named(n).name == n for n in POLICIES if n != "constant")


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("vlaue", {}, "Did you mean value"),
        ("", {}, "Known are: static"),
        ("static", {"arm": 85}, "It has none"),
        ("value", {"cuation": 1}, "Known are: caution"),
        ("value", {"caution": -1}, "caution must lie"),
        ("value", {"caution": float("nan")}, "caution must lie"),
        ("constant", {}, "missing"),
        ("constant", {"arm": 0.85}, "integer hundredths"),
        ("constant", {"arm": True}, "integer hundredths"),
        ("constant", {"arm": 0}, "1..1000"),
        ("relax", {"arm": 85}, "100..1000"),
        ("risk_rule", {"tightened": 115}, "1..100"),
        ("risk_rule", {"churn_high": 1.5}, "0..1"),
        ("risk_rule", {"churn_low": 0.5}, "must not exceed"),
        ("segment", {"arms": {"smb": 2000}}, "arms.smb"),
        ("segment", {"arms": [85]}, "must map"),
    ],
)
def test_a_wrong_name_or_parameter_says_what_is_right(
    name: str, parameters: dict[str, object], message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        policy_named(name, **parameters)
