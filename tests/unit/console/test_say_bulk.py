"""Many accounts at once: only those that one sees, and a task only for who sees them too."""

from __future__ import annotations

from console.desk import Desk
from console.say.filled import day_of
from flyball.instant import DAY_US
from tests.unit.console.conftest import NOW_US, Call


def owners(desk: Desk) -> dict[str, str]:
    return {name: item.owner for name, item in desk.ledger.accounts_as_of(NOW_US).items()}


def test_ticked_accounts_are_shown_and_foreign_ones_left_out(call: Call) -> None:
    bo = call("bo")
    assert 'name="tenant" value="t1" form="bulk"' in bo.get("/console/")[1]
    page = bo.get("/console/bulk?tenant=t1&tenant=t2&tenant=t3&tenant=nobody")[1]
    assert "<h1>2 accounts</h1>" in page
    assert "/console/accounts/t2" in page
    assert "/console/accounts/t3" not in page
    assert 'value="t3"' not in page
    assert bo.get("/console/bulk?tenant=t3")[0] == 303
    assert bo.get("/console/bulk")[0] == 303


def test_a_new_owner_holds_from_now_on_for_what_one_sees(call: Call, desk: Desk) -> None:
    bo = call("bo")
    fields = {"owner": "cy", "tenant": "t3"}
    assert "No account is ticked" in bo.post("/console/bulk/owner", fields)[1]
    assert bo.post("/console/bulk/owner", {"owner": "mallory", "tenant": "t1"})[0] == 422
    ann = call("ann")
    data = {"csrf": ann.token(), "owner": "bo", "tenant": ["t2", "t3", "t4", "nobody"]}
    answer = ann.client.post("/console/bulk/owner", data=data)
    assert "2 accounts went to bo. 1 account had that owner already." in answer.text
    assert owners(desk) == {"t1": "bo", "t2": "bo", "t3": "bo", "t4": "bo"}
    assert desk.ledger.account("t3", NOW_US - 1).owner == "cy"
    assert desk.ledger.audit(target="t3")[0].author == "ann"
    assert bo.get("/console/accounts/t3")[0] == 200


def test_a_task_is_made_for_each_that_the_assignee_sees(call: Call, desk: Desk) -> None:
    ann = call("ann")
    data = {
        "csrf": ann.token(), "title": "Call", "assignee": "bo", "due": day_of(NOW_US + DAY_US),
        "tenant": ["t1", "t2", "t3"],
    }  # fmt: skip
    answer = ann.client.post("/console/bulk/task", data=data)
    assert "2 tasks for bo. 1 account left out" in answer.text
    assert [len(desk.ledger.tasks(name)) for name in ("t1", "t2", "t3")] == [1, 1, 0]
    answer = ann.client.post("/console/bulk/task", data={**data, "title": " "})
    assert answer.status_code == 422
    assert 'id="f-title-error"' in answer.text
    answer = ann.client.post("/console/bulk/task", data={**data, "tenant": "t3"})
    assert "sees none of these" in answer.text


def test_viewers_have_no_boxes_and_no_way_in(call: Call, desk: Desk) -> None:
    viewer = call("vic")
    assert 'form="bulk"' not in viewer.get("/console/")[1]
    assert viewer.get("/console/bulk?tenant=t4")[0] == 403
    assert viewer.post("/console/bulk/owner", {"owner": "bo", "tenant": "t4"})[0] == 403
    assert viewer.post("/console/bulk/task", {"title": "x", "tenant": "t4"})[0] == 403
    assert owners(desk)["t4"] == "cy"
