"""What single features are worth, worked out by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest

AS_OF = 20_000 * 24


def test_shares_and_blocked_share_follow_the_histogram(world: Any) -> None:
    world.account()
    world.usage(1, 2_900.0, shares=(0.5, 0.75, 1.25, 0.5))
    row = world.row()
    assert row["share_mean_28d"] == 0.75
    assert row["share_peak_7d"] == 1.25
    assert row["windows_over_limit_28d"] == 0.25
    assert row["windows_near_limit_28d"] == 0.25
    assert row["blocked_100"] == pytest.approx(0.25 / 3.0)
    assert row["blocked_85"] == pytest.approx(0.40 / 3.0)
    assert row["blocked_70"] == pytest.approx((0.05 + 0.55) / 3.0)
    assert row["blocked_130"] == 0.0
    assert row["predicted_dose_28d"] == row["blocked_70"] - row["blocked_100"]
    assert row["coarse"] is False


def test_a_daily_limit_is_compared_with_day_sums(world: Any) -> None:
    world.account(window_seconds=86_400, base_limit=100)
    for day in range(1, 29):
        world.usage(day, 50.0)
    world.usage(3, 100.0, late_hours=1)
    row = world.row()
    assert row["share_mean_28d"] == pytest.approx((28 * 50 + 100) / 28 / 100)
    assert row["share_peak_28d"] == 1.5
    assert row["days_at_limit_28d"] == 1.0
    assert row["blocked_100"] == pytest.approx(50 / 1_500)
    assert row["blocked_130"] == pytest.approx(20 / 1_500)


def test_a_monthly_limit_is_compared_with_thirty_days(world: Any) -> None:
    world.account(window_seconds=30 * 86_400, base_limit=1_000)
    for day in range(1, 31):
        world.usage(day, 50.0)
    row = world.row()
    assert row["share_peak_28d"] == 1.5
    assert row["share_mean_7d"] == 1.5
    assert row["blocked_100"] == pytest.approx(500 / 1_500)
    assert row["blocked_70"] == pytest.approx(800 / 1_500)


def test_effective_limits_round_up_as_arms_do(world: Any) -> None:
    world.account(window_seconds=86_400, base_limit=3)
    world.usage(1, 4.0)
    assert world.row()["blocked_70"] == pytest.approx(1 / 4)  # 3 * 0.70 rounds up to 3


def test_estimated_windows_are_marked(world: Any) -> None:
    world.account()
    world.usage(1, 10.0, shares=(0.5,), coarse=1)
    assert world.row()["coarse"] is True


def test_blocked_share_is_missing_without_demand(world: Any) -> None:
    world.account()
    row = world.row()
    assert row["blocked_70"] is None
    assert row["predicted_dose_28d"] is None
    assert row["demand_period"] == 0.0


def test_p95_is_the_second_largest_day_and_absent_days_count(world: Any) -> None:
    world.account()
    for day, quantity in ((1, 10.0), (2, 40.0), (3, 30.0)):
        world.usage(day, quantity)
    assert world.row()["demand_p95_28d"] == pytest.approx(math.log1p(30.0))
    world.usage(4, 40.0)
    assert world.row()["demand_p95_28d"] == pytest.approx(math.log1p(40.0))


def test_p95_of_a_single_day_is_nothing(world: Any) -> None:
    world.account()
    world.usage(1, 10.0)
    assert world.row()["demand_p95_28d"] == 0.0


def test_slope_is_least_squares_relative_to_the_mean(world: Any) -> None:
    world.account()
    for day in range(1, 29):
        world.usage(day, 100.0 + 2.0 * (28 - day))
    row = world.row()
    assert row["demand_slope_28d"] == pytest.approx(2.0 / 127.0)
    assert row["demand_week_on_week"] > 0
    assert row["demand_acceleration"] == pytest.approx(row["demand_week_on_week"] - 14 / 254)


def test_a_steady_tenant_has_no_season_and_no_trend(world: Any) -> None:
    world.account()
    for day in range(1, 29):
        world.usage(day, 64.0)
    row = world.row()
    assert row["weekday_strength_28d"] == 0.0
    assert row["demand_slope_28d"] == 0.0
    assert row["demand_week_on_week"] == 0.0
    assert row["spike_day_ratio"] == pytest.approx(1.0)
    assert row["demand_period"] == 448.0


def test_a_weekend_pause_shows_as_season(world: Any) -> None:
    world.account()
    for day in range(1, 29):
        world.usage(day, 0.0 if day % 7 in (1, 2) else 70.0)
    assert world.row()["weekday_strength_28d"] == pytest.approx(70 / 50)


def test_a_spike_of_the_open_day_shows_at_once(world: Any) -> None:
    world.account()
    for day in range(2, 29):
        world.usage(day, 100.0)
    before = world.row(AS_OF + 5)
    world.usage(-4 / 24, 1_000.0)
    after = world.row(AS_OF + 5)
    assert before["spike_hour_ratio"] == 0.0
    assert after["spike_hour_ratio"] == pytest.approx(10.0)
    assert after["spike_day_ratio"] == pytest.approx(10.0)


def test_earlier_spikes_do_not_hide_a_new_one(world: Any) -> None:
    world.account()
    for day in range(2, 29):
        world.usage(day, 3_000.0 if day in (5, 12, 19) else 100.0)
    world.usage(-4 / 24, 500.0)
    row = world.row(AS_OF + 5)
    assert row["spike_hour_ratio"] > 3.0
    assert row["spike_day_ratio"] > 2.0


def test_means_divide_by_the_days_and_the_part_of_today(world: Any) -> None:
    world.account()
    world.usage(1, 70.0)
    world.usage(-2 / 24, 5.0)
    assert world.row()["demand_period"] == 70.0
    assert world.row(AS_OF + 12)["demand_period"] == pytest.approx(75.0 / 7.5 * 7.0)


def test_late_usage_counts_only_once_it_has_arrived(world: Any) -> None:
    world.account()
    world.usage(1, 70.0, late_hours=30)
    assert world.row()["demand_period"] == 0.0
    assert world.row(AS_OF + 6)["demand_period"] == 0.0
    assert world.row(AS_OF + 7)["demand_period"] == pytest.approx(70.0 / (7 + 7 / 24) * 7.0)


def test_the_last_gauge_wins_by_its_own_time_not_by_arrival(world: Any) -> None:
    world.account(seats=10)
    world.usage(3, 9.0, meter="seats.active", value=9.0, late_hours=40)
    world.usage(2, 4.0, meter="seats.active", value=4.0)
    row = world.row()
    assert row["seats_active"] == 4.0
    assert row["seat_share"] == 0.4


def test_gauges_keep_their_size(world: Any) -> None:
    world.account()
    world.usage(25, 1.0, meter="storage.bytes", value=3e12)
    world.usage(1, 1.0, meter="storage.bytes", value=9e12)
    assert world.row()["storage_growth_28d"] == 0.5


def test_engagement_counts_days_logins_and_valuable_meters(world: Any) -> None:
    world.account()
    for day in (1, 2, 10):
        world.usage(day, 14.0, meter="logins")
    world.usage(2, 28.0, meter="exports")
    world.usage(5, 6.0, meter="workflows.concurrent")
    row = world.row()
    assert row["active_days_7d"] == pytest.approx(2 / 7)
    assert row["active_days_28d"] == pytest.approx(3 / 28)
    assert row["days_since_event"] == 1.0
    assert row["logins_28d"] == 1.5
    assert row["logins_change"] == pytest.approx((4 - 1.5) / (4 + 1.5))
    assert row["exports_28d"] == pytest.approx(math.log(2))
    assert row["workflows_peak_28d"] == 6.0


def test_friction_is_read_from_the_past_only(world: Any) -> None:
    world.account()
    for days_ago, arm in ((14, 70), (7, 115), (0, 85)):
        hour = AS_OF - days_ago * 24
        world.add(
            "decision", start_hour=hour, known_hour=hour, arm=arm, propensity=0.2, period_days=7,
            mode="live",
        )  # fmt: skip
    world.usage(1, 50.0)
    world.usage(1, 5.0, meter="api.blocked")
    row = world.row()
    assert row["arm_last"] == 1.15
    assert row["arm_mean_28d"] == pytest.approx(0.925)
    assert row["tightened_share_28d"] == 0.5
    assert row["days_since_friction"] == 14.0
    assert row["blocked_share_7d"] == 0.1
    assert row["days_blocked_28d"] == 1.0


def test_replayed_decisions_are_not_the_past(world: Any) -> None:
    world.account()
    world.add("decision", start_hour=AS_OF - 24, known_hour=AS_OF - 24, arm=70, mode="what_if")
    assert world.row()["arm_last"] is None


def test_the_account_and_plan_in_force_and_known_count(world: Any) -> None:
    world.account(mrr=100.0)
    world.account(effective_hour=AS_OF - 100, known_hour=AS_OF - 100, version=2, plan="scale")
    world.account(effective_hour=AS_OF - 50, known_hour=AS_OF, version=3, plan="secret")
    for plan, rank, price in (("pro", 1, 9.0), ("scale", 2, 99.0)):
        world.add("plan", plan=plan, effective_hour=0, known_hour=0, version=1, rank=rank,
                  price=price)  # fmt: skip
    row = world.row()
    assert (row["plan"], row["plan_rank"], row["mrr"]) == ("scale", 2.0, 99.0)
    assert row["plan_price"] == pytest.approx(math.log(100.0))


def test_commercial_history(world: Any) -> None:
    world.account(renewal_hour=AS_OF + 240)
    for days_ago, kind in ((30, "upgraded"), (10, "downgraded"), (5, "renewed")):
        hour = AS_OF - days_ago * 24
        world.add("subscription", event_hour=hour, known_hour=hour, kind=kind, version=1)
    row = world.row()
    assert (row["upgrades"], row["downgrades"], row["plan_change_days"]) == (1.0, 1.0, 10.0)
    assert row["renewal_days"] == 10.0
    assert row["tenure_days"] == 365.0


def test_tickets_are_open_until_their_close_is_known(world: Any) -> None:
    world.account()
    for hours_ago, severity, closed in ((48, "urgent", None), (24, "low", AS_OF), (30, "low", 9)):
        hour = AS_OF - hours_ago
        world.add(
            "ticket", opened_hour=hour, known_hour=hour, severity=severity, closed_hour=closed
        )
    row = world.row()
    assert (row["tickets_open"], row["tickets_28d"], row["tickets_urgent_28d"]) == (2.0, 3.0, 1.0)


def test_incidents_reach_tenants_by_scope(world: Any) -> None:
    world.account()
    for kind, scope, begin, end in (
        ("all", "", 10, 4),
        ("region", "eu", 3, None),
        ("region", "us", 9, None),
        ("tenant", "other", 9, None),
        ("tenant", "ent", 1_000, 670),
    ):
        world.add(
            "incident", scope_kind=kind, scope=scope, from_hour=AS_OF - begin,
            to_hour=None if end is None else AS_OF - end, known_hour=AS_OF - begin,
        )  # fmt: skip
    assert world.row()["incident_hours_28d"] == 6.0 + 3.0 + 2.0


def test_the_primary_meter_may_be_any_meter(world: Any) -> None:
    world.account(primary_meter="ai.tokens")
    world.usage(1, 7.0, meter="ai.tokens", shares=(0.5,))
    world.usage(1, 700.0)
    row = world.row()
    assert row["demand_period"] == 7.0
    assert row["share_mean_7d"] == 0.5
