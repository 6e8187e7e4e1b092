"""Usage against the limits that held on each day."""

from __future__ import annotations

from dataclasses import fields, replace

from console.account.usage import DAYS, usage_view
from console.standings.row import Standing
from flyball.decision import Assignment, Decision, Mode
from flyball.instant import DAY_US
from telemetry.account_usage import DayUsage

TODAY = 20_000
NOW = TODAY * DAY_US + 1
_BLANK: dict[str, object] = {field.name: None for field in fields(Standing)}
ROW = replace(
    Standing(**_BLANK),  # type: ignore[arg-type]
    meter="api.requests", base_limit=1_000, contract_limit=700, per="hour",
)  # fmt: skip


def _decision(day: int, arm: int) -> Decision:
    return Decision(
        decision_id=f"d{day}", tenant_id="t", organisation="t", mode=Mode.LIVE,
        assignment=Assignment.POLICY, period_start_us=day * DAY_US, period_days=7,
        decided_us=day * DAY_US, arm=arm, served_arm=arm, proposed_arm=arm, offered={arm: 1.0},
        propensity=1.0, reasons=(), policy="value",
    )  # fmt: skip


def test_the_limit_is_met_against_the_multiplier_of_that_day() -> None:
    history = [_decision(TODAY - 3, 85), _decision(TODAY - 10, 115)]
    days = [
        DayUsage(TODAY - 5, "api.requests", 500.0, 1.10),  # below ×1.15
        DayUsage(TODAY - 2, "api.requests", 400.0, 0.90),  # above ×0.85
        DayUsage(TODAY - 20, "api.requests", 300.0, 0.99),  # before any decision: ×1.00
    ]
    view = usage_view(days, ROW, history, NOW)
    assert view.days_met == 1
    assert view.known


def test_the_table_says_what_the_chart_draws_newest_first() -> None:
    days = [DayUsage(TODAY - 1, "api.requests", 2_800.0, 0.5), DayUsage(TODAY - 1, "api.blocked",
            7.0, None)]  # fmt: skip
    view = usage_view(days, ROW, [], NOW)
    assert len(view.rows) == DAYS
    assert view.rows[1][1:] == ("2,800", "50 %", "100 %", "7")
    assert view.weekly_demand == 700.0


def test_a_source_too_coarse_for_windows_is_not_taken_as_none() -> None:
    view = usage_view([DayUsage(TODAY - 1, "api.requests", 10.0, None)], ROW, [], NOW)
    assert view.rows[1][2] == "–"
    assert view.days_met == 0
