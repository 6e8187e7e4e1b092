"""Harm is found where the policy drives tenants away, and not where it does not."""

from __future__ import annotations

import numpy as np
import pytest

from flyball.instant import DAY_US
from ledger.acted_periods import ActedPeriod
from training.live_harm import look_for_harm


def _periods(
    *,
    acted_churn: float,
    kept_churn: float,
    tenants: int = 1500,
    weeks: int = 13,
    seed: int = 5,
    share: float = 0.2,
) -> list[ActedPeriod]:
    """A ``share`` is at 100, by holdout or by draw; the others get the proposed 85."""
    rng = np.random.default_rng(seed)
    kept = rng.random((weeks, tenants)) < share
    left = rng.random((weeks, tenants)) < np.where(kept, kept_churn, acted_churn)
    return [
        ActedPeriod(
            organisation=f"o{tenant // 2}",
            tenant_id=f"t{tenant}",
            start_us=week * 7 * DAY_US,
            period_days=7,
            arm=100 if kept[week, tenant] else 85,
            proposed_arm=85,
            marginal=share if kept[week, tenant] else 1.0 - share,
            neutral_marginal=share,
            churned=bool(left[week, tenant]),
        )
        for week in range(weeks)
        for tenant in range(tenants)
    ]


def test_a_policy_that_drives_tenants_away_is_found() -> None:
    look = look_for_harm(_periods(acted_churn=0.04, kept_churn=0.01))
    assert look.harmful
    assert look.watch.mean == pytest.approx(2 * 0.03, abs=0.02)
    assert "at least +" in look.sentence()


def test_nothing_is_found_where_acting_changes_nothing() -> None:
    for seed in range(10):
        assert not look_for_harm(_periods(acted_churn=0.02, kept_churn=0.02, seed=seed)).harmful


def test_no_alarm_is_raised_because_nobody_kept_apart_has_left_yet() -> None:
    # 300 a week, of whom a tenth is kept apart: there the first churn takes weeks to come.
    alarms = 0
    for seed in range(60):
        periods = _periods(
            acted_churn=0.005, kept_churn=0.005, tenants=300, weeks=16, seed=seed, share=0.1
        )
        starts = sorted({each.start_us for each in periods})
        alarms += any(
            look_for_harm([each for each in periods if each.start_us <= start]).harmful
            for start in starts[::3]
        )
    # Of 60 paths three may; a bound from the spread seen so far speaks on more than ten.
    assert alarms <= 3


def test_without_anybody_kept_apart_nothing_can_be_said() -> None:
    periods = [
        each._replace(neutral_marginal=0.0)
        for each in _periods(acted_churn=0.5, kept_churn=0.0)
        if each.arm != 100
    ]
    look = look_for_harm(periods)
    assert not look.harmful
    assert look.plain()["lowerBound"] is None


def test_a_policy_that_keeps_tenants_is_not_harm() -> None:
    assert not look_for_harm(_periods(acted_churn=0.01, kept_churn=0.04)).harmful


def test_what_is_allowed_is_not_harm() -> None:
    periods = _periods(acted_churn=0.04, kept_churn=0.01)
    assert not look_for_harm(periods, churn_cap=1.0).harmful


def test_with_nothing_to_look_at_nothing_is_found() -> None:
    look = look_for_harm(())
    assert not look.harmful
    assert "too early" in look.sentence()
    assert look.plain()["lowerBound"] is None


def test_other_explored_arms_count_for_neither_side() -> None:
    explored = [p._replace(arm=115) for p in _periods(acted_churn=0.5, kept_churn=0.5)]
    look = look_for_harm(explored)
    assert look.acted == 0
    assert look.watch.mean < 0.0
