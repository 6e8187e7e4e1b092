"""My accounts without a browser: states as links, filters, views, export."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from console.application import create_console
from console.book.columns import BY_KEY, SHOWN
from console.book.export import safe_cell
from console.book.state import BookState, state_of
from console.design.band import Banding, Bands
from console.desk import Desk
from console.settings import ConsoleSettings
from console.standings.row import Standing
from console.standings.search import ORDERS, SELECTED
from flyball.override import OverrideKind
from tests.unit.console.conftest import NOW_US, Call, Caller


def test_a_row_has_the_fields_that_are_selected() -> None:
    columns = [part.split(".")[1] for part in SELECTED.split(", ")]
    renamed = {"last_us": "usage_us", "weeks": "usage_weeks", "trend": "usage_trend"}
    tail = [renamed[name] for name in columns[-3:]]
    assert [*columns[:-3], *tail] == list(Standing.__dataclass_fields__)


@given(
    st.dictionaries(
        st.sampled_from(
            ["q", "owner", "plan", "risk", "limit", "renewal", "changed", "left", "sort", "page",
             "size", "cols", "task"]
        ),
        st.text(max_size=30) | st.sampled_from(["high", "-churn", "3", "100", "owner.seats", "1"]),
    )
)  # fmt: skip
def test_every_address_is_a_state_and_every_state_an_address(query: dict[str, str]) -> None:
    state = state_of(query)
    assert state_of(dict(parse_qsl(state.query))) == state


def test_sorting_again_turns_the_order_round() -> None:
    state = BookState()
    assert state.sorted_by("churn").sort == "-churn"
    assert state.sorted_by("churn").sorted_by("churn").sort == "churn"
    assert state.sorted_by("owner").sort == "owner"
    assert state.on_page(3).sorted_by("owner").page == 1
    assert {column.order for column in BY_KEY.values()} - {""} <= set(ORDERS)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["t1", "t2", "t3", "t4"]),
        ("q=äpfel", ["t1"]),
        ("q=ÄPFEL", ["t1"]),
        ("q=key_1", ["t1"]),
        ("q=%25", []),
        ("owner=cy", ["t3", "t4"]),
        ("owner=nobody", []),
        ("region=eu", ["t4"]),
        ("plan=pro&owner=bo&q=t2", ["t2"]),
        ("risk=high", ["t1"]),
        ("risk=low", ["t2", "t3", "t4"]),
        ("risk=unknown", []),
        ("upgrade=high", ["t1", "t2", "t3", "t4"]),
        ("limit=tight", ["t1"]),
        ("limit=person", []),
        ("changed=1", ["t1"]),
        ("left=1", []),
        ("renewal=60", []),
        ("task=open", []),
        ("risk=nonsense&sort=nonsense&page=nonsense&size=7", ["t1", "t2", "t3", "t4"]),
    ],
)
def test_filters_narrow_the_list(call: Call, query: str, expected: list[str]) -> None:
    rows = exported(call("ann").client.get(f"/console/accounts.csv?{query}").text)
    assert sorted(row["tenant_id"] for row in rows) == expected


def test_bands_of_the_deployment_decide_what_high_means(desk: Desk) -> None:
    bands = Banding(churn=Bands(0.01, 0.02))
    low = replace(desk, settings=ConsoleSettings(bands=bands))
    client = TestClient(create_console(low), base_url="http://127.0.0.1")
    ann = Caller(client)
    ann.sign_in("ann")
    assert "4 accounts found" in ann.get("/console/?risk=high")[1]
    assert "No account fits" in ann.get("/console/?risk=low")[1]


@pytest.mark.parametrize("order", sorted(ORDERS))
@pytest.mark.parametrize("sign", ["", "-"])
def test_every_order_works(call: Call, order: str, sign: str) -> None:
    rows = exported(call("ann").client.get(f"/console/accounts.csv?sort={sign}{order}").text)
    assert len(rows) == 4


def test_all_columns_show_and_hostile_names_are_text(call: Call) -> None:
    cols = ".".join(BY_KEY)
    status, text = call("ann").get(f"/console/?cols={cols}")
    assert status == 200
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "<script>alert" not in text


def test_a_person_sees_and_exports_their_own_only(call: Call) -> None:
    caller = call("bo")
    for query in ("", "?owner=cy", "?q=Delta", "?q=t3", "?region=eu"):
        shown = re.findall(r"/console/accounts/(\w+)\"", caller.get(f"/console/{query}")[1])
        rows = exported(caller.client.get(f"/console/accounts.csv{query}").text)
        found = {*shown, *(row["tenant_id"] for row in rows)}
        assert found == (set() if query else {"t1", "t2"}), query


def test_filters_offer_only_what_a_person_may_see(call: Call) -> None:
    assert ">cy<" not in call("bo").get("/console/")[1]
    assert ">cy<" in call("ann").get("/console/")[1]


def test_nothing_to_see_says_why(call: Call) -> None:
    assert "No account fits" in call("ann").get("/console/?q=nobody")[1]


def test_a_change_by_a_person_shows_with_the_next_page(call: Call, desk: Desk) -> None:
    caller = call("bo")
    desk.ledger.add_override(
        "t2", OverrideKind.EXEMPT, author="ann", reason="talks", now_us=NOW_US,
        expires_us=NOW_US + 86_400_000_000,
    )  # fmt: skip
    desk.standings.follow()
    rows = exported(caller.client.get("/console/accounts.csv?limit=person").text)
    assert [(row["tenant_id"], row["set_by"]) for row in rows] == [("t2", "ann")]


def test_the_list_says_what_changed_and_what_cannot_wait(call: Call) -> None:
    rows = exported(call("ann").client.get("/console/accounts.csv?cols=change.attention&q=t1").text)
    assert rows[0]["since_last_week"] == "×1.00 → ×0.85; risk +10.0 pts"
    assert rows[0]["cannot_wait"] == "risk +10.0 pts"
    assert rows[0]["tenant_id"] == "t1"


def test_no_cell_of_an_export_can_be_a_formula(call: Call) -> None:
    caller = call("ann")
    rows = exported(caller.client.get("/console/accounts.csv").text)
    assert {row["account"] for row in rows} >= {"'=1+1", "<script>alert(1)</script>"}
    audit = caller.client.app.state.desk.ledger.audit(target="accounts")  # type: ignore[attr-defined]
    assert [(entry.action, entry.author) for entry in audit] == [("book.export", "ann")]


@given(st.text(max_size=20))
def test_text_is_kept_but_never_active(text: str) -> None:
    cell = safe_cell(text)
    assert cell.lstrip("'").strip() == text.replace("\x00", "").lstrip("'").strip()
    assert not cell.lstrip().startswith(("=", "+", "-", "@"))


def test_numbers_stay_numbers() -> None:
    assert [safe_cell(value) for value in (-3, -0.25, None, 1e-9)] == ["-3", "-0.25", "", "0.0"]


def test_a_view_keeps_filters_order_and_columns_but_no_page(call: Call) -> None:
    caller = call("ann")
    cols = ".".join([key for key in SHOWN if key != "task"])
    fields = {"name": "Mine", "query": f"risk=high&sort=-arr&page=3&cols={cols}&evil=1"}
    status, where = caller.post("/console/views", fields)
    assert status == 303
    assert where == f"/console/?risk=high&sort=-arr&cols={cols}"
    assert "Mine" in caller.get("/console/")[1]
    assert "Mine" not in call("bo").get("/console/")[1]
    assert caller.post("/console/views", {"name": " ", "query": ""})[0] == 422


def exported(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))
