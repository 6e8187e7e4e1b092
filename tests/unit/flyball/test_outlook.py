"""Hazards: chained over periods, shifted by arms."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.outlook import (
    ArmEffect,
    Estimate,
    Hazards,
    Outlook,
    Trust,
    chained,
    chances_under,
    hazards_under,
)

HAZARDS = Hazards(upgrade=0.02, downgrade=0.01, churn=0.03)


def with_effect(
    churn: float, *, upgrade: float = 0.0, trust: Trust = Trust.POOLED, dose: float | None = 0.1
) -> Outlook:
    effect = ArmEffect(
        arm=85, dose=dose, trust=trust, upgrade=Estimate(upgrade, 0.0),
        downgrade=Estimate(0.0, 0.0), churn=Estimate(churn, 0.0),
    )  # fmt: skip
    return Outlook(hazards=HAZARDS, effects={85: effect})


def test_chaining_is_the_sum_over_periods_of_surviving_until_then() -> None:
    survive = 1 - 0.06
    expected = sum(0.03 * survive**k for k in range(4))
    assert chained(HAZARDS, 4).churn == pytest.approx(expected, rel=1e-12)


def test_chaining_keeps_the_digits_of_tiny_hazards() -> None:
    tiny = Hazards(upgrade=1e-18, downgrade=0.0, churn=0.0)
    assert chained(tiny, 4).upgrade == pytest.approx(4e-18, rel=1e-9)


@given(st.floats(0, 0.5), st.floats(0, 0.5), st.floats(0, 0.5), st.floats(0.5, 60))
def test_chained_probabilities_are_probabilities(
    up: float, down: float, churn: float, periods: float
) -> None:
    found = chained(Hazards(upgrade=up, downgrade=down, churn=churn), periods)
    parts = (found.upgrade, found.downgrade, found.churn)
    assert all(0.0 <= part <= 1.0 for part in parts)
    assert sum(parts) <= 1.0 + 1e-9


def test_an_arm_shifts_hazards_by_its_mean_effects_and_stays_within_zero_to_one() -> None:
    assert hazards_under(with_effect(0.02), 85) == Hazards(upgrade=0.02, downgrade=0.01, churn=0.05)
    below = hazards_under(with_effect(-0.5), 85)
    assert below is not None
    assert below.churn == 0.0
    above = hazards_under(with_effect(3.0, upgrade=3.0), 85)
    assert above is not None
    assert above.upgrade + above.downgrade + above.churn == pytest.approx(1.0)


@pytest.mark.parametrize(
    "outlook",
    [
        with_effect(0.02, trust=Trust.NONE),
        with_effect(0.02, dose=0.004),
        with_effect(0.02, dose=-0.004),
        Outlook(hazards=HAZARDS, effects={}),
    ],
)
def test_an_arm_without_evidence_or_too_small_to_feel_shifts_nothing(outlook: Outlook) -> None:
    assert hazards_under(outlook, 85) == HAZARDS
    assert hazards_under(outlook, 100) == HAZARDS


def test_without_a_model_there_are_no_chances() -> None:
    nothing = Outlook(hazards=None, effects={})
    assert chances_under(nothing, 85, period_days=7) is None
    weekly = chances_under(with_effect(0.0), 100, period_days=7)
    assert weekly == chained(HAZARDS, 4)
