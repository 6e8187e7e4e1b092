"""The read model: how its questions find their rows, and when it reads usage anew."""

from __future__ import annotations

import threading
from typing import cast

import pytest

from console.access.tenants import Authoriser
from console.account.similar import similar
from console.desk import Desk
from console.standings import file as standings_file
from console.standings import search
from console.standings.file import Standings
from console.standings.row import Standing
from console.standings.search import ORDERS, Filters, one, page_of, summary
from flyball.instant import MINUTE_US
from ledger.decision_change import ChangeCause, DecisionChange
from ledger.explanations import Explanations
from ledger.records import Intervention
from ledger.rows import parse_account, parse_plan
from tests.unit.console.conftest import NOW_US

#: Every filter that My accounts has.
FILTERS = {
    "nothing": Filters(), "search": Filters(q="delta 4"), "owner": Filters(owner="bo"),
    "plan": Filters(plan="pro"), "segment": Filters(segment="smb"), "region": Filters(region="eu"),
    "risk": Filters(risk="medium"), "upgrade": Filters(upgrade="unknown"),
    "tight": Filters(limit="tight"), "person": Filters(limit="person"),
    "renewal": Filters(renewal=60), "open": Filters(task="open"),
    "overdue": Filters(task="overdue"), "changed": Filters(changed=True),
    "left": Filters(left=True),
}  # fmt: skip


class Plans:
    """Standings that note how SQLite means to answer each question."""

    def __init__(self, standings: Standings) -> None:
        self._standings = standings
        self.steps: list[str] = []

    def rows(self, sql: str, bindings: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
        """The rows, after a look at the plan."""
        told = self._standings.rows(f"EXPLAIN QUERY PLAN {sql}", bindings)
        self.steps += [str(step[3]) for step in told]
        return self._standings.rows(sql, bindings)

    def whole_rows_read(self) -> list[str]:
        """Steps that read accounts one after the other without the index of figures."""
        return [
            step
            for step in self.steps
            if step.startswith(("SCAN standing", "SEARCH standing"))
            and "COVERING INDEX" not in step
            and "PRIMARY KEY (tenant_id=?)" not in step
        ]


@pytest.mark.parametrize("sees", ["ann", "bo", "vic"])
@pytest.mark.parametrize("filters", FILTERS.values(), ids=FILTERS)
def test_no_filter_or_order_reads_whole_rows_before_it_has_chosen(
    desk: Desk, filters: Filters, sees: str
) -> None:
    user = next(user for user in desk.ledger.users() if user.login == sees)
    accessible = Authoriser(desk.standings).tenants_of(user)
    plans = Plans(desk.standings)
    summary(cast(Standings, plans), accessible, filters, NOW_US)
    for order in ORDERS:
        for descending in (False, True):
            page_of(
                cast(Standings, plans),
                accessible,
                filters,
                order=order,
                descending=descending,
                limit=50,
                offset=0,
                now_us=NOW_US,
            )
    assert plans.steps
    assert not plans.whole_rows_read()


@pytest.mark.parametrize("part", [1, 3, 4, 100])
@pytest.mark.parametrize("order", ["attention", "account", "trend"])
def test_an_export_sorts_once_and_gives_what_the_list_gives(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, part: int, order: str
) -> None:
    monkeypatch.setattr(search, "PART", part)
    user = next(user for user in desk.ledger.users() if user.login == "ann")
    accessible = Authoriser(desk.standings).tenants_of(user)
    listed = page_of(
        desk.standings, accessible, Filters(), order=order, descending=True, limit=50, offset=0,
        now_us=NOW_US,
    )  # fmt: skip
    assert len(listed) == 4
    for most in (2, 4, 50):
        plans = Plans(desk.standings)
        exported = search.every(
            cast(Standings, plans), accessible, Filters(), order=order, descending=True,
            now_us=NOW_US, most=most,
        )  # fmt: skip
        assert list(exported) == listed[:most]
        assert sum("standing_figures" in step for step in plans.steps) == 1
        assert not plans.whole_rows_read()


def test_similar_accounts_are_chosen_by_figures_alone(desk: Desk) -> None:
    user = desk.ledger.users()[0]
    authoriser = Authoriser(desk.standings)
    accessible = authoriser.tenants_of(user)
    row = one(desk.standings, authoriser.tenant(accessible, "t2"))
    plans = Plans(desk.standings)
    assert similar(plans, accessible, row)  # type: ignore[arg-type]
    assert not plans.whole_rows_read()


def test_names_are_sorted_without_regard_to_case_and_by_id_where_there_is_none(desk: Desk) -> None:
    named = {"t5": "élan", "t6": "Élan 2", "t7": ""}
    desk.ledger.import_accounts(
        [
            parse_account({"tenant_id": key, "name": name, "plan": "pro", "owner": "zed",
                           "created_at": "2025-01-01T00:00:00Z"})
            for key, name in named.items()
        ],
        now_us=NOW_US,
    )  # fmt: skip
    desk.standings.follow()
    user = desk.ledger.users()[0]
    rows = page_of(
        desk.standings, Authoriser(desk.standings).tenants_of(user), Filters(owner="zed"),
        order="account", descending=False, limit=50, offset=0, now_us=NOW_US,
    )  # fmt: skip
    assert [row.tenant_id for row in rows] == ["t7", "t5", "t6"]


def standing(desk: Desk, tenant_id: str) -> Standing:
    """The row as an administrator sees it, after what the ledger says now."""
    desk.standings.follow()
    authoriser = Authoriser(desk.standings)
    user = next(user for user in desk.ledger.users() if user.login == "ann")
    return one(desk.standings, authoriser.tenant(authoriser.tenants_of(user), tenant_id))


def contact(kind: str, *, minutes_ago: int) -> Intervention:
    """Something that somebody did about t2."""
    at_us = NOW_US - minutes_ago * MINUTE_US
    return Intervention(tenant_id="t2", time_us=at_us, known_us=NOW_US, kind=kind)


def test_the_last_touch_says_whose_it_was_where_that_is_on_record(desk: Desk) -> None:
    desk.ledger.import_interventions([contact("email", minutes_ago=30)])
    row = standing(desk, "t2")
    assert (row.touch, row.touch_author) == ("email", "")
    desk.ledger.log_intervention(contact("call", minutes_ago=20), author="cy")
    row = standing(desk, "t2")
    assert (row.touch, row.touch_author) == ("call", "cy")
    # Logged later, but about what was earlier: the call was the last touch all the same.
    desk.ledger.log_intervention(contact("discount", minutes_ago=25), author="ann")
    row = standing(desk, "t2")
    assert (row.touch, row.touch_author) == ("call", "cy")
    desk.ledger.add_note("t2", "Wants more seats.", author="bo", now_us=NOW_US)
    row = standing(desk, "t2")
    assert (row.touch, row.touch_author) == ("note", "bo")


def test_a_multiplier_has_moved_when_it_did_and_not_when_its_reason_changed(desk: Desk) -> None:
    began_us = standing(desk, "t1").moved_us
    name = standing(desk, "t1").decision_id or ""

    def change(arm: int, minutes_ago: int, reason: str) -> Standing:
        desk.ledger.change_decisions(
            [
                DecisionChange(
                    decision_id=name, tenant_id="t1", served_arm=arm, cause=ChangeCause.KILL,
                    at_us=NOW_US - minutes_ago * MINUTE_US, reasons=(reason,),
                )
            ]
        )  # fmt: skip
        return standing(desk, "t1")

    # It moved from ×1 to ×0.85 when its period began; a reason alone does not move it.
    assert change(85, 50, "override_ended").moved_us == began_us
    assert change(100, 40, "kill_switch").moved_us == NOW_US - 40 * MINUTE_US
    off = change(100, 30, "kill_switch_ended")
    assert (off.moved_us, off.codes) == (NOW_US - 40 * MINUTE_US, ["kill_switch_ended"])
    assert change(115, 20, "override_choose").moved_us == NOW_US - 20 * MINUTE_US
    assert change(100, 10, "override_ended").moved_us == NOW_US - 10 * MINUTE_US


def test_a_storage_limit_is_shown_as_the_gateway_gets_it(desk: Desk) -> None:
    assert standing(desk, "t1").effective_limit == 850
    with Explanations(desk.home.explanations) as kept:
        kept.put_floors({"t1": 93, "t2": 120}, ["t1", "t2", "t3"])
        row = standing(desk, "t1")
        assert (row.effective_limit, row.limit_under(70), row.limit_under(100)) == (930, 930, 1000)
        assert standing(desk, "t2").effective_limit == 1200
        assert standing(desk, "t3").effective_limit == 1000
        kept.put_floors({"t1": 97}, ["t1", "t2"])
        assert standing(desk, "t1").effective_limit == 970
        assert standing(desk, "t2").effective_limit == 1000


def test_what_is_stored_or_done_at_once_has_no_window(desk: Desk) -> None:
    assert standing(desk, "t1").per == "minute"
    space = {
        "plan": "pro", "rank": 2, "monthly_price_minor": 10_000, "currency": "USD",
        "primary_meter": "storage.gb",
        "limits": {"storage.gb": {"base": 1000, "contract": 700, "kind": "storage"}},
    }  # fmt: skip
    desk.ledger.import_plans([parse_plan(space)], now_us=NOW_US)
    row = standing(desk, "t1")
    assert (row.meter, row.per) == ("storage.gb", None)


def test_usage_is_read_anew_only_when_day_tiles_or_accounts_change(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    tiles = {"a.parquet"}
    now_us = [NOW_US]

    def weekly(home: object, *, end_us: int, weeks: int) -> list[object]:
        # The desk's own follower looks as well.
        if threading.current_thread() is threading.main_thread():
            read.append(end_us)
        return []

    monkeypatch.setattr(standings_file, "weekly_usage", weekly)
    monkeypatch.setattr(standings_file, "day_tile_names", lambda home: frozenset(tiles))
    standings = Standings(desk.home, desk.ledger, lambda: now_us[0])
    try:
        standings.follow()
        for _ in range(3):
            standings.follow_usage()
        assert len(read) == 1
        tiles.add("b.parquet")
        standings.follow_usage()
        now_us[0] += 86_400_000_000
        standings.follow_usage()
        assert len(read) == 3
        desk.ledger.import_accounts(
            [parse_account({"tenant_id": "t9", "plan": "pro",
                            "created_at": "2025-01-01T00:00:00Z"})],
            now_us=NOW_US,
        )  # fmt: skip
        standings.follow()
        standings.follow_usage()
        assert len(read) == 4
    finally:
        standings.close()
