"""The read model: how its questions find their rows, and when it reads usage anew."""

from __future__ import annotations

import threading
from typing import cast

import pytest

from console.access.tenants import Authoriser
from console.account.similar import similar
from console.desk import Desk
from console.standings import file as standings_file
from console.standings.file import Standings
from console.standings.search import ORDERS, Filters, one, page_of, summary
from ledger.rows import parse_account
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
