"""Notes, tasks, contacts and feedback as forms: kept with who, refused beside the field."""

from __future__ import annotations

import pytest

from console.desk import Desk
from console.say.filled import day_of
from flyball.instant import DAY_US
from ledger.follow_up import Subject, TaskState, Verdict
from tests.unit.console.conftest import NOW_US, Call

T1 = "/console/accounts/t1"
TODAY, TOMORROW = day_of(NOW_US), day_of(NOW_US + DAY_US)
FINE: dict[str, dict[str, str]] = {
    "notes": {"text": "Line 1\n<b>two</b>"},
    "tasks": {"title": "Call about the renewal", "assignee": "ann", "due": TOMORROW},
    "contacts": {"kind": "call", "day": TODAY, "text": "Wants more room"},
    "feedback": {"subject": "churn", "verdict": "too_high", "reason": "They signed yesterday"},
}


def test_a_note_is_shown_as_text_and_taken_back(call: Call, desk: Desk) -> None:
    bo = call("bo")
    assert bo.post(f"{T1}/notes", FINE["notes"]) == (303, T1)
    page = bo.get(T1)[1]
    assert "&lt;b&gt;two&lt;/b&gt;" in page
    assert "<b>two" not in page
    (note,) = desk.ledger.notes("t1")
    assert note.author == "bo"
    assert bo.post(f"/console/accounts/t2/notes/{note.note_id}/withdraw", {})[0] == 404
    assert bo.post(f"{T1}/notes/{note.note_id}/withdraw", {})[0] == 303
    assert desk.ledger.notes("t1") == []
    assert bo.post(f"{T1}/notes/x/withdraw", {})[0] == 404


def test_a_task_is_given_to_somebody_who_sees_the_account(call: Call, desk: Desk) -> None:
    bo = call("bo")
    assert bo.post(f"{T1}/tasks", FINE["tasks"])[0] == 303
    (task,) = desk.ledger.tasks("t1")
    assert (task.assignee, task.author, day_of((task.due_us or 0) - 1)) == ("ann", "bo", TOMORROW)
    assert "Call about the renewal" in bo.get("/console/?task=open")[1]
    assert bo.post(f"{T1}/tasks/{task.task_id}", {"state": "done"})[0] == 303
    assert desk.ledger.tasks("t1")[0].state is TaskState.DONE
    assert bo.post(f"{T1}/tasks/{task.task_id}", {"state": "reopen"})[0] == 303
    assert bo.post(f"/console/accounts/t2/tasks/{task.task_id}", {"state": "done"})[0] == 404
    assert desk.ledger.tasks("t1")[0].state is TaskState.OPEN
    ann = call("ann")
    foreign = "/console/accounts/t3/tasks"
    assert "does not see this account" in ann.post(foreign, FINE["tasks"] | {"assignee": "bo"})[1]
    assert desk.ledger.tasks("t3") == []


def test_an_open_task_is_changed_in_its_own_form(call: Call, desk: Desk) -> None:
    past_us = NOW_US - DAY_US
    desk.ledger.add_tasks(
        ["t1"], "Call", due_us=past_us, assignee="bo", author="bo", now_us=past_us
    )
    (task,) = desk.ledger.tasks("t1")
    bo, form = call("bo"), f"{T1}/tasks/{task.task_id}/edit"
    assert 'value="Call"' in bo.get(form)[1]
    # A day that has passed may stay as it is; a new one lies ahead.
    kept = {"title": "Call Mo", "assignee": "bo", "due": day_of(past_us - 1)}
    assert bo.post(form, kept) == (303, T1)
    (new,) = desk.ledger.tasks("t1")
    assert (new.title, new.due_us) == ("Call Mo", past_us)
    for wrong in ({"due": "2001-01-01"}, {"title": ""}, {"assignee": "vic"}):
        assert bo.post(form, kept | wrong)[0] == 422
    assert bo.post(form, kept | {"due": ""})[0] == 303
    assert desk.ledger.tasks("t1")[0].due_us is None
    assert bo.get(form.replace("/t1/", "/t2/"))[0] == 404
    assert bo.post(form.replace("/t1/", "/t2/"), kept)[0] == 404
    bo.post(f"{T1}/tasks/{task.task_id}", {"state": "done"})
    assert bo.get(form)[0] == 303
    assert bo.post(form, kept | {"title": "Other"})[0] == 303
    assert desk.ledger.tasks("t1")[0].title == "Call Mo"


def test_the_timeline_says_who_logged_a_contact(call: Call, desk: Desk) -> None:
    call("bo").post(f"{T1}/contacts", FINE["contacts"])
    (told,) = [
        item for item in desk.ledger.happenings("t1", now_us=NOW_US) if item.kind == "intervention"
    ]
    assert (told.what, told.author) == ("call", "bo")


def test_a_call_becomes_an_intervention_that_the_models_read(call: Call, desk: Desk) -> None:
    bo = call("bo")
    assert bo.post(f"{T1}/contacts", FINE["contacts"])[0] == 303
    past = {"kind": "discount", "day": day_of(NOW_US - 2 * DAY_US), "text": "10 % for a year"}
    assert bo.post(f"{T1}/contacts", past)[0] == 303
    earlier, now = desk.ledger.interventions("t1")
    assert (now.kind, now.time_us, now.known_us) == ("call", NOW_US, NOW_US)
    # What is logged late was not known earlier: no feature of the past may see it.
    assert (earlier.kind, earlier.known_us) == ("discount", NOW_US)
    assert day_of(earlier.time_us) == past["day"]
    assert "call" in bo.get("/console/")[1]


def test_feedback_is_kept_beside_the_score_that_was_shown(call: Call, desk: Desk) -> None:
    assert call("bo").post(f"{T1}/feedback", FINE["feedback"])[0] == 303
    (given,) = desk.ledger.feedback()
    current = desk.ledger.decision(given.decision_id)
    assert current is not None
    assert (given.subject, given.verdict) == (Subject.CHURN, Verdict.TOO_HIGH)
    assert (given.probability, given.served_arm) == (current.churn_probability, 85)


@pytest.mark.parametrize(
    ("path", "change", "field"),
    [
        ("notes", {"text": " "}, "text"),
        ("notes", {"text": "x" * 2_001}, "text"),
        ("notes", {"text": "a\u202eb"}, "text"),
        ("tasks", {"title": ""}, "title"),
        ("tasks", {"title": "x" * 121}, "title"),
        ("tasks", {"assignee": "nobody"}, "assignee"),
        ("tasks", {"assignee": "vic"}, "assignee"),
        ("tasks", {"due": "soon"}, "due"),
        ("tasks", {"due": day_of(NOW_US - DAY_US)}, "due"),
        ("contacts", {"kind": "bribe"}, "kind"),
        ("contacts", {"day": TOMORROW}, "day"),
        ("contacts", {"day": "2001-01-01"}, "day"),
        ("contacts", {"text": "x" * 501}, "text"),
        ("feedback", {"subject": "x"}, "subject"),
        ("feedback", {"verdict": ""}, "verdict"),
        ("feedback", {"reason": ""}, "reason"),
    ],
)
def test_what_does_not_fit_is_told_beside_its_field_and_nothing_is_kept(
    call: Call, desk: Desk, path: str, change: dict[str, str], field: str
) -> None:
    status, page = call("bo").post(f"{T1}/{path}", FINE[path] | change)
    assert status == 422
    assert f'id="f-{field}-error"' in page
    assert [entry.action for entry in desk.ledger.audit(target="t1")] == []


@pytest.mark.parametrize("path", list(FINE))
def test_viewers_look_and_nobody_writes_where_they_do_not_see(
    call: Call, desk: Desk, path: str
) -> None:
    viewer, bo = call("vic"), call("bo")
    own, foreign = f"/console/accounts/t4/{path}", f"/console/accounts/t3/{path}"
    assert viewer.get(own)[0] == 403
    assert viewer.post(own, FINE[path])[0] == 403
    assert bo.get(foreign)[0] == 404
    assert bo.post(foreign, FINE[path])[0] == 404
    token = {"csrf": "guess", **FINE[path]}
    assert bo.client.post(f"{T1}/{path}", data=token).status_code == 403
    for tenant in ("t1", "t3", "t4"):
        assert desk.ledger.audit(target=tenant) == []
