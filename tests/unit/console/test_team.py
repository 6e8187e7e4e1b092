"""Views over many accounts: what they add up, and that they add up only what one sees."""

from __future__ import annotations

from dataclasses import replace

import pytest

from console.access.tenants import AccessibleTenants, Authoriser
from console.desk import Desk
from console.standings.beside import beside_ledger
from console.standings.lately import Lately
from console.team.changed import changed
from console.team.health import health
from console.team.interval import Moments, difference, share_interval, wilson
from console.team.outcomes import comparison
from console.team.portfolio import GROUPS, holdings, overdraft, set_aside, together
from flyball.decision import Assignment
from flyball.guardrail_settings import DEFAULT_GUARDRAILS
from flyball.instant import DAY_US, format_instant
from ledger.records import Intervention
from ledger.rows import parse_account, parse_subscription
from ledger.users import Sees, SeesKind, User, UserRole
from tests.unit.console.conftest import NOW_US, Call, decision

WEEK_US = 7 * DAY_US


def seeing(desk: Desk, *sees: Sees) -> AccessibleTenants:
    user = User(
        user_id="u", login="u", name="U", email="", role=UserRole.LEAD, sees=sees, password="",
        created_us=0,
    )  # fmt: skip
    return Authoriser(desk.standings).tenants_of(user)


ALL, BO = Sees(SeesKind.ALL), Sees(SeesKind.OWNER, "bo")


def leaves(desk: Desk, tenant_id: str, at_us: int, kind: str = "churned") -> None:
    row = {"tenant_id": tenant_id, "time": format_instant(at_us), "kind": kind, "plan": "pro"}
    desk.ledger.import_subscriptions([parse_subscription(row)])


def test_the_portfolio_adds_up_only_what_one_sees(desk: Desk) -> None:
    sums = {}
    for sees in (ALL, BO):
        with beside_ledger(desk.home, seeing(desk, sees)) as beside:
            sums[sees] = together(holdings(beside, "owner", NOW_US, 0.1, DEFAULT_GUARDRAILS))
    assert (sums[ALL].accounts, sums[BO].accounts) == (4, 2)
    # t1 pays its plan's 100.00 a month and is at 20 %, t2 500.00 at 2 %.
    assert sums[BO].arr_minor == 12 * (10_000 + 50_000)
    assert sums[BO].at_risk_minor == pytest.approx(12 * (10_000 * 0.2 + 50_000 * 0.02))
    assert (sums[BO].tight, sums[BO].high_risk) == (1, 1)


@pytest.mark.parametrize("by", GROUPS)
def test_every_grouping_of_the_portfolio_holds_every_account_once(desk: Desk, by: str) -> None:
    with beside_ledger(desk.home, seeing(desk, ALL)) as beside:
        parts = holdings(beside, by, NOW_US, 0.1, DEFAULT_GUARDRAILS)
        names = {row[0] for row in beside.rows(f"SELECT {by} FROM standing WHERE {{scope}}")}
    assert {part.name for part in parts} == names
    assert together(parts).accounts == 4


def test_an_answer_is_kept_a_minute_and_for_the_same_sight_only(desk: Desk) -> None:
    kept: Lately[int] = Lately()
    every, bo = seeing(desk, ALL), seeing(desk, BO)
    assert kept.of(every, NOW_US, lambda: 1) == 1
    assert kept.of(bo, NOW_US, lambda: 2) == 2
    assert kept.of(seeing(desk, ALL), NOW_US + 59_000_000, lambda: 3) == 1
    assert kept.of(every, NOW_US + 60_000_000, lambda: 4) == 4
    assert kept.of(bo, NOW_US - 1, lambda: 5) == 5


def test_a_failure_is_not_kept(desk: Desk) -> None:
    kept: Lately[float] = Lately()
    with pytest.raises(ZeroDivisionError):
        kept.of(seeing(desk, ALL), NOW_US, lambda: 1 / 0)
    assert kept.of(seeing(desk, ALL), NOW_US, lambda: 7.0) == 7.0


def test_overdraft_is_what_current_decisions_have_set_aside(desk: Desk) -> None:
    spent = replace(decision("t4", arm=115), overdraft_requests=40.0, decided_us=NOW_US)
    desk.ledger.append_decisions(
        [replace(spent, decision_id="again", period_start_us=spent.period_start_us + 1)]
    )
    desk.standings.follow()
    for sees, requests in ((ALL, 40.0), (BO, 0.0)):
        with beside_ledger(desk.home, seeing(desk, sees)) as beside:
            aside = set_aside(beside, NOW_US)
            found = overdraft(aside, DEFAULT_GUARDRAILS, everyone=sees is ALL)
        assert found.spent == requests


def test_outcomes_are_compared_with_the_holdout_period_by_period(desk: Desk) -> None:
    past = [
        replace(
            decision(name, weeks_ago=weeks),
            assignment=Assignment.HOLDOUT if name in ("t3", "t4") else Assignment.DRAWN,
        )
        for name in ("t1", "t2", "t3", "t4")
        for weeks in (2, 3, 4)
    ]
    desk.ledger.append_decisions(past)
    leaves(desk, "t3", past[0].period_start_us + DAY_US)
    desk.standings.follow()
    with beside_ledger(desk.home, seeing(desk, ALL)) as beside:
        found = comparison(beside, NOW_US)
    # t1's decision of a week ago has ended too.
    assert (found.decided_rows, found.held_rows) == (7, 6)
    left = next(item for item in found.outcomes if item.kind == "churned")
    assert left.decided.mean == 0.0
    assert left.held.mean == pytest.approx(1 / 6)
    assert left.verdict == "same"
    with beside_ledger(desk.home, seeing(desk, BO)) as beside:
        assert comparison(beside, NOW_US).outcomes[2].verdict == "unknown"


def test_many_events_of_one_organisation_are_little_evidence() -> None:
    one = Moments(rows=100, events=10, events_squared=100, events_rows=100, rows_squared=1_000)
    many = Moments(rows=100, events=10, events_squared=10, events_rows=100, rows_squared=1_000)
    assert one.variance > 5 * many.variance
    assert share_interval(one).high > share_interval(many).high
    none = Moments(rows=100, events=0, events_squared=0, events_rows=0, rows_squared=1_000)
    change = difference(many, none)
    assert change is not None
    assert change.low > 0
    assert share_interval(none).high > 0


def test_an_interval_of_a_share_stays_within_it() -> None:
    assert wilson(0, 20).low == 0.0
    assert 0.1 < wilson(0, 20).high < 0.2
    assert wilson(20, 20).high == 1.0
    assert wilson(0, 0).holds(0.5)


def test_the_model_is_judged_by_what_became_of_those_told(desk: Desk) -> None:
    desk.ledger.append_decisions(
        [decision(name, weeks_ago=6, churn=0.25) for name in ("t1", "t2", "t3", "t4")]
    )
    told_us = decision("t1", weeks_ago=6).decided_us
    leaves(desk, "t1", told_us + 27 * DAY_US)
    leaves(desk, "t3", told_us + 29 * DAY_US)
    desk.standings.follow()
    with beside_ledger(desk.home, seeing(desk, ALL)) as beside:
        found = health(beside, "churn", NOW_US)
    assert found.all is not None
    assert (found.all.accounts, found.all.expected, found.all.happened) == (4, 1.0, 1)
    assert [(band.band, band.verdict) for band in found.bands] == [("20 to 40 %", "few")]
    with beside_ledger(desk.home, seeing(desk)) as beside:
        assert health(beside, "churn", NOW_US).all is None


def test_what_changed_names_accounts_that_one_sees_and_no_others(desk: Desk) -> None:
    leaves(desk, "t2", NOW_US - DAY_US // 2, "renewed")
    leaves(desk, "t3", NOW_US - DAY_US // 2, "upgraded")
    desk.ledger.import_accounts(
        [parse_account({"tenant_id": "t9", "plan": "pro", "created_at": "2025-01-01T00:00:00Z"})],
        now_us=NOW_US,
    )
    desk.standings.follow()
    found = changed(desk, seeing(desk, BO), days=7)
    assert [(item.tenant_id, item.words) for item in found.happened] == [("t2", "Renewed")]
    assert [row.tenant_id for row in found.risen.rows] == ["t1"]
    assert [row.tenant_id for row in found.tightened.rows] == ["t1"]
    everything = changed(desk, seeing(desk, ALL), days=7)
    assert {item.tenant_id for item in everything.happened} == {"t2", "t3"}
    assert changed(desk, seeing(desk), days=7).happened == ()


def test_what_changed_says_who_logged_a_call(desk: Desk) -> None:
    call = Intervention(
        tenant_id="t2", time_us=NOW_US - DAY_US // 2, known_us=NOW_US, kind="call", note="Happy."
    )
    desk.ledger.log_intervention(call, author="cy")
    desk.standings.follow()
    (item,) = changed(desk, seeing(desk, BO), days=1).happened
    assert (item.words, item.author, item.text) == ("Call", "cy", "Happy.")


@pytest.mark.parametrize("login", ["ann", "bo", "vic"])
def test_the_pages_of_a_team_open_for_everybody(call: Call, login: str) -> None:
    caller = call(login)
    for address in ("portfolio", "portfolio?by=owner", "portfolio?by='", "today", "today?days=x",
                    "today?days=28", "model"):  # fmt: skip
        status, text = caller.get(f"/console/{address}")
        assert status == 200, address
        assert "<script>alert" not in text
