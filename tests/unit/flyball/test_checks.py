"""The published checks pass for every policy that ships, and fail for broken ones."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import pytest

from flyball.checks import CHECKS, check_policy, generated_views
from flyball.errors import Refused
from flyball.policies.registry import POLICIES, policy_named
from flyball.policy import Policy, Proposal, TenantView
from flyball.reason import Reason

PARAMETERS: dict[str, tuple[dict[str, Any], ...]] = {
    "constant": ({"arm": 85}, {"arm": 130}, {"arm": 1}, {"arm": 1000}),
    "segment": ({}, {"arms": {"startup": 130, "smb": 70}}),
    "risk_rule": ({}, {"churn_high": 0.0, "churn_low": 0.0}, {"churn_high": 1.0, "churn_low": 1.0}),
    "value": ({}, {"caution": 0.0}, {"caution": 5}),
}

SHIPPED = [
    policy_named(name, **parameters)
    for name in POLICIES
    for parameters in PARAMETERS.get(name, ({},))
]


@pytest.mark.parametrize("policy", SHIPPED, ids=lambda p: f"{p.name}-{p.version}")
def test_every_shipped_policy_keeps_the_invariants(policy: Policy) -> None:
    assert isinstance(policy, Policy)
    check_policy(policy, rounds=300)


@dataclass
class Faulty:
    """A policy of somebody else's, broken in the way that ``kind`` says."""

    kind: str
    name: str = "faulty"
    version: str = "0"
    needs_model: bool = True

    def __post_init__(self) -> None:
        self.calls = itertools.count()

    def propose(self, view: TenantView) -> Proposal:
        if view.outlook.hazards is None and self.kind != "bold":
            return Proposal(100, (Reason.NO_MODEL,))
        if self.kind == "off_grid":
            return Proposal(93, (Reason.NO_RULE_APPLIES,))
        if self.kind == "moody":
            return Proposal(view.arms[next(self.calls) % len(view.arms)], (Reason.NO_MODEL,))
        if self.kind == "silent":
            return Proposal(100, ())
        if self.kind == "chatty":
            return Proposal(100, ("because",))  # type: ignore[arg-type]
        return Proposal(view.arms[-1], (Reason.RELAX_POLICY,))


@pytest.mark.parametrize(
    ("kind", "check"),
    [
        ("off_grid", "arm_is_available"),
        ("moody", "proposal_is_repeatable"),
        ("silent", "reasons_are_known"),
        ("chatty", "reasons_are_known"),
        ("bold", "neutral_without_model"),
    ],
)
def test_a_broken_policy_is_refused_by_name_of_the_check(kind: str, check: str) -> None:
    with pytest.raises(Refused, match=check):
        check_policy(Faulty(kind))


def test_generated_views_repeat_and_cover_every_sort() -> None:
    views = list(generated_views(3, 300))
    assert views == list(generated_views(3, 300))
    assert any(v.outlook.hazards is None for v in views)
    assert any(v.outlook.hazards is not None and v.money and v.economics for v in views)
    assert any(v.arms == (100,) for v in views)
    assert len(CHECKS) == 6
