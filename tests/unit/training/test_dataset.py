"""Which decisions become units, and what they are labelled with."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from flyball.errors import InvalidInput

MONDAY, WEEK = 482_256, 168


def outcomes(relations: Any, **options: Any) -> dict[str, int]:
    dataset = relations.dataset(**options)
    return dict(zip(dataset.text("tenant_id"), dataset.codes().tolist(), strict=True))


def test_each_live_decision_is_one_row(relations: Any) -> None:
    for week in range(3):
        relations.decide("a", MONDAY + week * WEEK)
    relations.decide("b", mode="what_if")
    dataset = relations.dataset()
    assert dataset.kind == "decisions"
    assert dataset.text("tenant_id") == ["a"] * 3
    assert dataset.start_hours().tolist() == [MONDAY + week * WEEK for week in range(3)]


def test_the_first_outcome_within_the_period_counts(relations: Any) -> None:
    for tenant in ("up", "down", "gone", "calm", "late", "edge", "both"):
        relations.decide(tenant)
    relations.happen("up", MONDAY + 5, "upgraded")
    relations.happen("down", MONDAY + WEEK - 1, "downgraded")
    relations.happen("gone", MONDAY, "churned")
    relations.happen("calm", MONDAY + 3, "renewed")
    relations.happen("late", MONDAY + WEEK, "churned")
    relations.happen("edge", MONDAY - 1, "upgraded")
    relations.happen("both", MONDAY + 9, "churned")
    relations.happen("both", MONDAY + 8, "upgraded")
    expected = {"up": 1, "down": 2, "gone": 3, "calm": 0, "late": 0, "edge": 0, "both": 1}
    assert outcomes(relations) == expected


def test_an_outcome_we_had_not_heard_of_does_not_count(relations: Any) -> None:
    relations.decide("a")
    relations.happen("a", MONDAY + 5, "churned", known=MONDAY + 4 * WEEK)
    assert outcomes(relations, as_of_hour=MONDAY + 4 * WEEK) == {"a": 0}
    assert outcomes(relations, as_of_hour=MONDAY + 4 * WEEK + 1) == {"a": 3}


def test_a_period_that_is_not_over_is_left_out_whatever_happened_in_it(relations: Any) -> None:
    relations.decide("a")
    relations.decide("b", MONDAY + 1)
    relations.happen("b", MONDAY + 2, "churned")
    dataset = relations.dataset(MONDAY + WEEK)
    assert dataset.text("tenant_id") == ["a"]
    assert dict(dataset.dropped) == {"period_not_over": 1}


def test_every_decision_left_out_is_counted_under_a_reason(relations: Any) -> None:
    relations.decide("kept")
    relations.decide("kept", continued=True, known_hour=MONDAY + 5)
    relations.decide("month", period_days=28)
    relations.decide("gone")
    relations.happen("gone", MONDAY - 5, "churned")
    relations.decide("twice")
    relations.decide("twice", known_hour=MONDAY + 1)
    dataset = relations.dataset()
    assert sorted(dataset.text("tenant_id")) == ["kept", "twice"]
    assert dict(dataset.dropped) == {
        "continued": 1,
        "not_alive": 1,
        "other_period_length": 1,
        "repeated": 1,
    }


def test_a_tenant_that_came_back_is_alive_again(relations: Any) -> None:
    relations.happen("a", MONDAY - 500, "churned")
    relations.happen("a", MONDAY - 100, "started")
    relations.decide("a")
    assert outcomes(relations) == {"a": 0}


def test_a_label_of_28_days_is_missing_until_they_are_over(relations: Any) -> None:
    relations.decide("a")
    relations.happen("a", MONDAY + 2 * WEEK, "churned")
    young, old = relations.dataset(MONDAY + 3 * WEEK), relations.dataset(MONDAY + 4 * WEEK)
    assert young.rows["outcome_28"].to_pylist() == [None]
    assert old.rows["outcome_28"].to_pylist() == [3]


def test_propensities_of_every_arm_and_doses_come_along(relations: Any) -> None:
    relations.decide("a")
    relations.decide("b", offered=None)
    dataset = relations.dataset()
    assert dataset.offered()[0].tolist() == [0.0, 0.5, 0.5, 0.0, 0.0]
    assert np.isnan(dataset.offered()[1]).all()
    assert dataset.dose()[0, 1] == pytest.approx(0.2)
    assert np.isnan(dataset.dose()[0, 0])
    assert dataset.assigned_dose()[0] == pytest.approx(0.2)
    assert dataset.analysed().tolist() == [True, True]


def test_without_decisions_weeks_of_history_are_units_at_one(relations: Any) -> None:
    connection = relations.connection
    connection.execute(
        "INSERT INTO usage_day (tenant_id, event_day) VALUES ('a', ?), ('b', ?)",
        [MONDAY // 24, MONDAY // 24 + 15],
    )
    for tenant in ("a", "b"):
        connection.execute(
            "INSERT INTO account (tenant_id, known_hour, created_hour) VALUES (?, 0, 0)", [tenant]
        )
    relations.happen("a", MONDAY + 2 * WEEK + 3, "churned")
    dataset = relations.dataset(MONDAY + 5 * WEEK)
    assert dataset.kind == "history"
    units = list(zip(dataset.text("tenant_id"), dataset.start_hours(), strict=True))
    weeks = [(tenant, (hour - MONDAY) // WEEK) for tenant, hour in units]
    assert weeks == [("a", 1), ("a", 2), ("b", 4)]
    assert dataset.codes().tolist() == [0, 3, 0]
    assert set(dataset.arm().tolist()) == {100}
    assert not dataset.analysed().any()


def test_the_relation_that_features_read_is_enough(relations: Any) -> None:
    relations.connection.execute("DROP TABLE decision_log")
    relations.connection.execute(
        "INSERT INTO decision VALUES ('a', ?, ?, 85, 0.25, 7, 'live')", [MONDAY, MONDAY]
    )
    dataset = relations.dataset()
    assert dataset.text("assignment") == ["drawn"]
    assert np.isnan(dataset.offered()).all()


def test_missing_features_are_nan_in_a_float32_matrix(relations: Any) -> None:
    relations.decide("a")
    matrix = relations.dataset().matrix()
    assert matrix.dtype == np.float32
    assert matrix.shape == (1, 1)


def test_the_as_of_time_must_be_a_whole_hour(relations: Any) -> None:
    from training.dataset import build_dataset

    with pytest.raises(InvalidInput, match="whole hour"):
        build_dataset(relations.connection, 1, compute=lambda _: None, features=())


def test_a_grid_without_100_is_refused(relations: Any) -> None:
    with pytest.raises(InvalidInput, match="100"):
        relations.dataset(arms=(85, 115))
