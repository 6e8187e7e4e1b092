"""Harm is found where the policy drives tenants away, and not where it does not."""

from __future__ import annotations

import numpy as np
import pytest

from flyball.instant import DAY_US
from ledger.acted_periods import ActedPeriod
from training.live_harm import look_for_harm


def _periods(
    *, acted_churn: float, kept_churn: float, tenants: int = 1500, weeks: int = 13, seed: int = 5
) -> list[ActedPeriod]:
    """A fifth is at 100, by holdout or by draw; the others get the proposed 85."""
    rng, share = np.random.default_rng(seed), 0.2
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
