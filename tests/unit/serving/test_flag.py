"""A flag says how much the decision behind it is worth."""

from __future__ import annotations

import pytest

from serving.openfeature.flag import evaluated

DECISION = {
    "tenantId": "ent_1",
    "dynamicMultiplier": 0.85,
    "effectiveLimit": None,
    "decisionId": "d_1",
    "expiresAt": None,
}


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("fresh", "TARGETING_MATCH"),
        ("last_known_good", "STALE"),
        ("plan_default", "DEFAULT"),
        ("unknown_tenant", "DEFAULT"),
        ("something newer", "UNKNOWN"),
    ],
)
def test_the_reason_follows_the_rung_of_the_ladder(source: str, reason: str) -> None:
    found = evaluated("flyball.multiplier", {**DECISION, "source": source})
    assert (found["reason"], found["value"], found["variant"]) == (reason, 0.85, "0.85")
    assert found["metadata"] == {"source": source, "tenantId": "ent_1", "decisionId": "d_1"}


def test_without_a_value_the_field_is_left_out() -> None:
    found = evaluated("flyball.effective_limit", {**DECISION, "source": "fresh"})
    assert "value" not in found
    assert found["variant"] == "none"
