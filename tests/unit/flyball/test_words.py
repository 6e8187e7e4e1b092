"""Plans, tenants, meters, names, times and economics: what is accepted, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.decision import Decision, Mode, decision_id
from flyball.economics import economics_from
from flyball.errors import InvalidInput
from flyball.identity import check_identifier, check_label, check_word
from flyball.instant import (
    DAY_US,
    EARLIEST_US,
    LATEST_US,
    format_instant,
    parse_instant,
    period_start,
)
from flyball.meter import STANDARD_METERS, Aggregation, check_quantity, meters_from
from flyball.plan import Limit, plan_from
from flyball.tenant import Account

PLAN: dict[str, Any] = {
    "plan": "pro", "rank": 1, "monthly_price_minor": 9900, "currency": "USD",
    "primary_meter": "api.requests",
    "limits": {"api.requests": {"base": 1000, "contract": 700, "per": "minute"}},
}  # fmt: skip


@given(st.integers(EARLIEST_US, LATEST_US - 1))
def test_an_instant_survives_being_written(micros: int) -> None:
    assert parse_instant(format_instant(micros)) == micros


@pytest.mark.parametrize(
    "text",
    ["", "2026-01-05", "2026-01-05T00:00:00", "2026-02-30T00:00:00Z", "1989-12-31T23:59:59Z",
     "2200-01-01T00:00:00Z", "2026-01-05T00:00:00+99:00", "٢٠٢٦-01-05T00:00:00Z", 5, None],
)  # fmt: skip
def test_a_time_without_zone_or_out_of_range_is_refused(text: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_instant(text)
    assert refused.value.code == "bad_time"


@given(st.integers(EARLIEST_US + 40 * DAY_US, LATEST_US - 1), st.integers(1, 28))
def test_a_period_contains_its_instant_and_weeks_start_on_mondays(micros: int, days: int) -> None:
    start = period_start(micros, days)
    assert start <= micros < start + days * DAY_US
    assert period_start(start, days) == start
    if days == 7:
        assert (start // DAY_US + 3) % 7 == 0


@pytest.mark.parametrize(
    "name", ["", "a/b", "..", "a..b", "a b", ".a", "a\n", "\u202eabc", "é", "x" * 129, 5, None]
)
def test_a_name_that_could_be_a_path_or_a_trick_is_refused(name: object) -> None:
    with pytest.raises(InvalidInput):
        check_identifier(name, field="tenant_id")


def test_names_words_and_labels_are_kept_as_they_are() -> None:
    assert check_identifier("ent_88492:eu@x|y", field="id") == "ent_88492:eu@x|y"
    assert check_word("api.requests", field="meter") == "api.requests"
    assert check_label("Zürich 東京", field="name") == "Zürich 東京"
    for bad in ("Api.Requests", "api..x", "", "a" * 65):
        with pytest.raises(InvalidInput):
            check_word(bad, field="meter")
    for bad in ("a\x00b", "a\u202eb", "x" * 257, "\ud800"):
        with pytest.raises(InvalidInput):
            check_label(bad, field="name")


@pytest.mark.parametrize("value", [True, "1", None, -1, 1e16, float("nan"), float("inf"), 10**400])
def test_a_quantity_that_is_no_finite_amount_is_refused(value: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_quantity(value)
    assert refused.value.code == "bad_quantity"


def test_meters_can_be_declared_and_the_standard_ones_changed() -> None:
    found = meters_from(
        [
            {"name": "maps.tiles", "unit": "tile"},
            {"name": "api.requests", "counts": "accepted", "resolution_seconds": 3600},
        ]
    )
    assert found["maps.tiles"].aggregation is Aggregation.SUM
    assert found["api.requests"].counts == "accepted"
    assert STANDARD_METERS["api.requests"].counts == "demand"
    for bad in ({"name": "x", "aggregation": "mean"}, {"name": "X"}, {"name": "x", "counts": "?"},
                {"name": "x", "resolution_seconds": 0}, {}, "x"):  # fmt: skip
        with pytest.raises(InvalidInput):
            meters_from([bad])  # type: ignore[list-item]


def test_a_plan_without_contract_promises_its_base() -> None:
    plan = plan_from(PLAN)
    assert plan.primary_limit == Limit(base=1000, contract=700)
    silent = plan_from({**PLAN, "limits": {"api.requests": {"base": 1000}}})
    assert silent.primary_limit.contract == 1000


@pytest.mark.parametrize(
    "change",
    [
        {"plan": "../x"},
        {"rank": 1.5},
        {"rank": True},
        {"monthly_price_minor": -1},
        {"currency": "dollars"},
        {"primary_meter": "logins"},
        {"limits": {"api.requests": {"base": 0}}},
        {"limits": {"api.requests": {"base": 10, "contract": 11}}},
        {"limits": {"api.requests": {"base": 10, "per": "week"}}},
        {"limits": {"api.requests": {"base": 10, "kind": "mood"}}},
        {"limits": {"api.requests": {"base": float("nan")}}},
        {"limits": {"api.requests": {"base": float("inf")}}},
        {"limits": {"api.requests": 10}},
        {"limits": [1]},
        {"entitlements": [1]},
    ],
)
def test_a_wrong_plan_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        plan_from({**PLAN, **change})


@pytest.mark.parametrize("field", ["plan", "rank", "monthly_price_minor", "currency", "limits"])
def test_a_plan_with_a_field_missing_is_refused(field: str) -> None:
    with pytest.raises(InvalidInput):
        plan_from({key: value for key, value in PLAN.items() if key != field})


def account(**changes: Any) -> Account:
    fields: dict[str, Any] = {
        "tenant_id": "t", "plan": "pro", "created_us": 1, "effective_us": 1, "known_us": 1,
    }  # fmt: skip
    return Account(**{**fields, **changes})


def test_an_accounts_own_limits_override_its_plans() -> None:
    plan = plan_from(PLAN)
    assert account().primary_limit(plan) == Limit(base=1000, contract=700)
    assert account(base_limit=2000).primary_limit(plan) == Limit(base=2000, contract=700)
    assert account(base_limit=500).primary_limit(plan) == Limit(base=500, contract=500)
    assert account(contract_limit=900).primary_limit(plan) == Limit(base=1000, contract=900)
    assert account().organisation == "t"
    assert account(parent_org="Acme").organisation == "Acme"
    for bad in ({"mrr_minor": -1}, {"base_limit": 0}, {"aliases": ("a/b",)}, {"currency": "?"}):
        with pytest.raises(InvalidInput):
            account(**bad)


@pytest.mark.parametrize(
    "entry",
    [
        [],
        {"margin": 2},
        {"margin": "x"},
        {"margn": 0.5},
        {"value_horizon_weeks": 0},
        {"discount_per_year": float("nan")},
        {"unit_cost_minor": {"api.requests": -1}},
        {"fx": {"EUR": 0}},
        {"currency": "dollars"},
    ],
)
def test_wrong_economics_are_refused(entry: object) -> None:
    with pytest.raises(InvalidInput):
        economics_from(entry)


def test_friction_is_enforced_exactly_when_the_limit_is_lower() -> None:
    def decision(base: int | None, served: int) -> Decision:
        return Decision(
            decision_id="d", tenant_id="t", organisation="t", mode=Mode.LIVE,
            assignment="drawn",  # type: ignore[arg-type]
            period_start_us=0, period_days=7, decided_us=0, arm=served, served_arm=served,
            proposed_arm=served, offered={served: 1.0}, propensity=1.0, reasons=(), policy="p",
            base_limit=base,
        )  # fmt: skip

    assert decision(10_000, 85).effective_limit == 8_500
    assert decision(10_000, 85).enforce_friction
    assert not decision(10_000, 100).enforce_friction
    assert not decision(10_000, 115).enforce_friction
    assert not decision(1, 70).enforce_friction
    assert not decision(None, 70).enforce_friction


def test_decision_ids_differ_by_tenant_period_mode_and_salt() -> None:
    ids = {
        decision_id("a", 1, Mode.LIVE), decision_id("b", 1, Mode.LIVE),
        decision_id("a", 2, Mode.LIVE), decision_id("a", 1, Mode.REPLAY),
        decision_id("a", 1, Mode.LIVE, "x"),
    }  # fmt: skip
    assert len(ids) == 5
