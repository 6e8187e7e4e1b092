"""What people write down and ask for: kept with who and why, and only for the tenant it names."""

from __future__ import annotations

import pytest

from flyball.errors import Conflict, InvalidInput, NotFound, Refused
from flyball.instant import DAY_US
from flyball.override import OverrideKind
from ledger.follow_up import Subject, TaskState, Verdict
from ledger.override_request import OverrideRequest, RequestState
from ledger.records import Intervention
from ledger.store import Ledger
from tests.contract.ledger_store.records import NOW, account


def asked(ledger: Ledger, tenant: str = "t1") -> OverrideRequest:
    ledger.put_account(account(tenant))
    return ledger.request_override(
        tenant, OverrideKind.CHOOSE, arm=115, author="ann", reason="launch week", now_us=NOW,
        expires_us=NOW + DAY_US,
    )  # fmt: skip


def test_a_request_changes_nothing_until_another_person_approves(ledger: Ledger) -> None:
    request = asked(ledger)
    assert ledger.overrides() == []
    assert ledger.override_requests(waiting_at_us=NOW) == [request]
    with pytest.raises(Refused, match="another pair of eyes"):
        ledger.decide_request(request.request_id, approved=True, author="ann", now_us=NOW)
    done = ledger.decide_request(request.request_id, approved=True, author="lin", now_us=NOW + 1)
    (made,) = ledger.overrides(active_at_us=NOW + 1)
    assert (made.author, made.arm, made.expires_us) == ("ann", 115, NOW + DAY_US)
    assert (done.state, done.decided_by, done.override_id) == (
        RequestState.APPROVED, "lin", made.override_id,
    )  # fmt: skip
    assert ledger.override_requests(waiting_at_us=NOW) == []
    with pytest.raises(Conflict):
        ledger.decide_request(request.request_id, approved=True, author="lin", now_us=NOW + 2)
    actions = [entry.action for entry in ledger.audit(target="t1")]
    assert actions[:3] == ["override.approve", "override.add", "override.request"]


def test_a_request_is_refused_withdrawn_or_expires(ledger: Ledger) -> None:
    first, second, third = asked(ledger), asked(ledger), asked(ledger)
    refused = ledger.decide_request(first.request_id, approved=False, author="lin", now_us=NOW)
    withdrawn = ledger.decide_request(second.request_id, approved=False, author="ann", now_us=NOW)
    assert refused.state is RequestState.REFUSED
    assert withdrawn.state is RequestState.WITHDRAWN
    assert not third.waits_at(NOW + DAY_US)
    assert ledger.override_requests(["t1"], waiting_at_us=NOW + DAY_US) == []
    with pytest.raises(Conflict, match="expired"):
        ledger.decide_request(third.request_id, approved=True, author="lin", now_us=NOW + DAY_US)
    assert ledger.overrides() == []


def test_what_would_be_no_override_is_no_request(ledger: Ledger) -> None:
    ledger.put_account(account("t1"))
    for tenant, reason, error in (("t1", " ", InvalidInput), ("nobody", "why", NotFound)):
        with pytest.raises(error):
            ledger.request_override(
                tenant, OverrideKind.FREEZE, author="ann", reason=reason, now_us=NOW,
                expires_us=NOW + DAY_US,
            )  # fmt: skip
    assert ledger.override_requests() == []
    for name in ("r_9", "", "9", "r_-1", "r_" + "9" * 40):
        with pytest.raises(NotFound):
            ledger.decide_request(name, approved=True, author="lin", now_us=NOW)


def test_a_note_is_kept_as_written_and_taken_back_by_its_author(ledger: Ledger) -> None:
    note = ledger.add_note("t1", " Zeile 1\r\n<b>دو</b> ", author="ann", now_us=NOW)
    assert note.text == "Zeile 1\n<b>دو</b>"
    assert ledger.notes("t1") == [note]
    assert ledger.notes("t2") == []
    for tenant, author in (("t1", "bob"), ("t2", "ann")):
        with pytest.raises(NotFound):
            ledger.withdraw_note(tenant, note.note_id, author=author, now_us=NOW)
    ledger.withdraw_note("t1", note.note_id, author="ann", now_us=NOW)
    assert ledger.notes("t1") == []
    with pytest.raises(NotFound):
        ledger.withdraw_note("t1", note.note_id, author="ann", now_us=NOW)


@pytest.mark.parametrize("text", ["", " \n ", "x" * 2_001, "a\u202eb", "a\x00b"])
def test_a_note_that_is_empty_too_long_or_hides_something_is_refused(
    ledger: Ledger, text: str
) -> None:
    with pytest.raises(InvalidInput) as error:
        ledger.add_note("t1", text, author="ann", now_us=NOW)
    assert error.value.field == "text"
    assert ledger.notes("t1") == []


def test_a_task_is_done_opened_again_and_handed_over(ledger: Ledger) -> None:
    made = ledger.add_tasks(
        ["t1", "t2"], "Call", due_us=NOW + DAY_US, assignee="bob", author="ann", now_us=NOW
    )
    assert made == 2
    (task,) = ledger.tasks("t1")
    assert (task.title, task.assignee, task.state) == ("Call", "bob", TaskState.OPEN)
    done = ledger.change_task(
        "t1", task.task_id, author="bob", now_us=NOW + 1, state=TaskState.DONE
    )
    assert (done.state, done.assignee, done.due_us) == (TaskState.DONE, "bob", NOW + DAY_US)
    again = ledger.change_task(
        "t1", task.task_id, author="ann", now_us=NOW + 2, state=TaskState.OPEN, assignee="cy"
    )
    assert (again.state, again.assignee) == (TaskState.OPEN, "cy")
    assert [item.state for item in ledger.tasks("t2")] == [TaskState.OPEN]
    with pytest.raises(NotFound):
        ledger.change_task("t2", task.task_id, author="ann", now_us=NOW)
    with pytest.raises(InvalidInput):
        ledger.add_tasks(["t1"], " ", due_us=None, assignee="bob", author="ann", now_us=NOW)


def test_an_open_task_is_written_anew_and_a_done_one_is_not(ledger: Ledger) -> None:
    ledger.add_tasks(["t1"], "Call", due_us=None, assignee="bob", author="ann", now_us=NOW)
    (task,) = ledger.tasks("t1")
    said = {"title": "Call the CTO", "due_us": NOW + DAY_US, "assignee": "cy", "author": "ann"}
    new = ledger.rewrite_task("t1", task.task_id, now_us=NOW + 1, **said)  # type: ignore[arg-type]
    assert (new.title, new.due_us, new.assignee) == ("Call the CTO", NOW + DAY_US, "cy")
    assert ledger.task("t1", task.task_id) == new == ledger.tasks("t1")[0]
    assert (new.author, new.created_us, new.state) == ("ann", NOW, TaskState.OPEN)
    dateless = said | {"due_us": None}
    new = ledger.rewrite_task("t1", task.task_id, now_us=NOW + 2, **dateless)  # type: ignore[arg-type]
    assert new.due_us is None
    (act, *_) = ledger.audit(target="t1")
    assert (act.action, "Call the CTO" in act.before) == ("task.change", True)
    with pytest.raises(NotFound):
        ledger.rewrite_task("t2", task.task_id, now_us=NOW, **said)  # type: ignore[arg-type]
    with pytest.raises(NotFound):
        ledger.task("t2", task.task_id)
    blank = said | {"title": " "}
    with pytest.raises(InvalidInput):
        ledger.rewrite_task("t1", task.task_id, now_us=NOW, **blank)  # type: ignore[arg-type]
    ledger.change_task("t1", task.task_id, author="bob", now_us=NOW + 3, state=TaskState.DONE)
    with pytest.raises(Refused):
        ledger.rewrite_task("t1", task.task_id, now_us=NOW + 4, **said)  # type: ignore[arg-type]


def test_a_logged_call_is_an_intervention_and_counts_once(ledger: Ledger) -> None:
    call = Intervention(tenant_id="t1", time_us=NOW - 5, known_us=NOW, kind="call", note="happy")
    assert ledger.log_intervention(call, author="ann")
    assert not ledger.log_intervention(call, author="ann")
    assert ledger.interventions("t1") == [call]
    (entry,) = ledger.audit(target="t1")
    assert (entry.author, entry.action) == ("ann", "intervention.log")


def test_feedback_keeps_the_score_it_is_about(ledger: Ledger) -> None:
    given = ledger.add_feedback(
        "t1", Subject.CHURN, Verdict.TOO_HIGH, reason="They renewed by phone", author="ann",
        now_us=NOW, decision_id="d1", model_version="7", probability=0.3, served_arm=85,
    )  # fmt: skip
    assert ledger.feedback() == [given]
    assert ledger.feedback(since_us=NOW + 1) == []
    with pytest.raises(InvalidInput):
        ledger.add_feedback(
            "t1", Subject.CHURN, Verdict.TOO_HIGH, reason="", author="ann", now_us=NOW,
            decision_id="d1", model_version="7", probability=0.3, served_arm=85,
        )  # fmt: skip
