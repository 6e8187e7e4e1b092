"""What another multiplier would do: money with its interval, or that too little is known."""

from __future__ import annotations

import pytest

from console.account.what_if import possibilities
from flyball.economics import Economics
from flyball.money import TenantMoney
from ledger.explanations import ArmView

MONEY = TenantMoney(
    mrr_minor=100_000, upgrade_gain_minor=50_000, downgrade_loss_minor=0, unit_cost_minor=0.01
)
ECONOMICS = Economics(margin=1.0, discount_per_year=0.0, value_horizon_weeks=52)


def _arm(arm: int, *, trust: str = "pooled", up: float | None = 0.02, churn: float | None = 0.01,
         dose: float | None = 0.0, sd: float = 0.0) -> ArmView:  # fmt: skip
    return ArmView(arm, trust, dose, up, sd, churn, sd, 0.2)


def _thousand(arm: int) -> int:
    return 10 * arm


def _no_plan(_: int) -> None:
    return None


def test_more_upgrades_are_worth_money_and_more_leaving_costs_it() -> None:
    found = possibilities(
        [_arm(100), _arm(85, up=0.04), _arm(70, churn=0.05)],
        served=85, limit_under=_thousand, money=MONEY, economics=ECONOMICS, weekly_demand=0.0,
    )  # fmt: skip
    tight, tighter = found[1].money, found[0].money
    assert tight is not None
    assert tighter is not None
    # Two points of upgrades, each 500 a month for most of a year; four of leaving, 1,000 a month.
    assert 0.02 * 50_000 * 9 < tight.mean < 0.02 * 50_000 * 12
    assert -0.04 * 100_000 * 12 < tighter.mean < -0.04 * 100_000 * 9


def test_insufficient_evidence_shows_no_number() -> None:
    found = possibilities(
        [_arm(100), _arm(85, trust="none", up=None, churn=None)],
        served=100, limit_under=_thousand, money=MONEY, economics=ECONOMICS, weekly_demand=0.0,
    )  # fmt: skip
    tight = found[0]
    assert (tight.known, tight.upgrade, tight.churn, tight.money) == (False, None, None, None)
    assert tight.evidence == "insufficient evidence"


def test_requests_that_more_room_lets_through_cost() -> None:
    found = possibilities(
        [_arm(100), _arm(115, dose=-0.1)],
        served=100, limit_under=_thousand, money=MONEY, economics=ECONOMICS, weekly_demand=10_000,
    )  # fmt: skip
    room = found[1].money
    assert room is not None
    # A tenth of four weeks of 10,000 requests at a hundredth each.
    assert room.mean == pytest.approx(-40.0)


def test_without_economics_there_are_chances_but_no_money() -> None:
    found = possibilities(
        [_arm(100), _arm(85)], served=None, limit_under=_no_plan, money=None, economics=None,
        weekly_demand=0.0,
    )  # fmt: skip
    assert [item.money for item in found] == [None, None]
    assert found[0].upgrade is not None
    assert found[0].limit is None


def test_intervals_stay_probabilities() -> None:
    found = possibilities(
        [_arm(100), _arm(85, churn=0.01, sd=0.5)],
        served=100, limit_under=_thousand, money=MONEY, economics=ECONOMICS, weekly_demand=0.0,
    )  # fmt: skip
    churn = found[0].churn
    assert churn is not None
    assert (churn.low, churn.mean, churn.high) == (0.0, 0.01, 0.99)
