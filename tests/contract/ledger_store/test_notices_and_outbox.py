"""What people must be told, and messages that wait for their webhook."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from flyball.errors import Conflict, InvalidInput, NotFound
from flyball.instant import DAY_US, SECOND_US
from ledger.notice import NoticeKind, Severity
from ledger.outbox import Message
from ledger.store import Ledger
from tests.contract.ledger_store.records import NOW


def withdrawn(ledger: Ledger, subject: str = "b1") -> int:
    return ledger.raise_notice(
        NoticeKind.MODEL_WITHDRAWN,
        Severity.CRITICAL,
        subject=subject,
        message="harm found",
        author="flyball watch",
        now_us=NOW,
    ).notice_id


def message(number: int, *, created: int = NOW) -> Message:
    return Message(
        message_id=f"msg_{number}", type="notice.raised", body=f'{{"n":{number}}}',
        created_us=created,
    )  # fmt: skip


def waiting(ledger: Ledger, at_us: int = NOW) -> list[str]:
    return [each.message_id for each in ledger.due_messages(at_us)]


def test_a_notice_is_open_until_somebody_ends_it(
    ledger: Ledger, opened: Callable[[], Ledger]
) -> None:
    number = withdrawn(ledger)
    found = opened().notices()
    assert [(each.notice_id, each.severity, each.message) for each in found] == [
        (number, Severity.CRITICAL, "harm found")
    ]
    ended = ledger.end_notice(number, author="ann", reason="looked into it", now_us=NOW + 5)
    assert (ended.ended_us, ended.ended_by) == (NOW + 5, "ann")
    assert ledger.notices() == []
    assert [each.end_reason for each in ledger.notices(open_only=False)] == ["looked into it"]
    assert ledger.audit(target="b1")[0].action == "notice.end"


def test_an_open_notice_is_not_raised_twice_and_an_ended_one_may_come_back(ledger: Ledger) -> None:
    first = withdrawn(ledger)
    assert withdrawn(ledger) == first
    assert withdrawn(ledger, "b2") != first
    ledger.end_notice(first, author="ann", reason="done", now_us=NOW)
    assert withdrawn(ledger) not in (first, first + 1)


def test_ending_asks_for_who_and_why_and_happens_once(ledger: Ledger) -> None:
    number = withdrawn(ledger)
    with pytest.raises(InvalidInput):
        ledger.end_notice(number, author="ann", reason=" ", now_us=NOW)
    ledger.end_notice(number, author="ann", reason="done", now_us=NOW)
    with pytest.raises(Conflict, match="ann"):
        ledger.end_notice(number, author="bob", reason="me too", now_us=NOW)
    with pytest.raises(NotFound):
        ledger.end_notice(99, author="ann", reason="done", now_us=NOW)


def test_a_message_goes_in_once_and_waits_until_it_is_taken(
    ledger: Ledger, opened: Callable[[], Ledger]
) -> None:
    assert ledger.enqueue([message(1), message(2)], now_us=NOW) == 2
    assert ledger.enqueue([message(2), message(3)], now_us=NOW) == 1
    other = opened()
    assert waiting(other) == ["msg_1", "msg_2", "msg_3"]
    assert waiting(other, NOW - 1) == []
    other.mark_delivered(["msg_1", "msg_3"], now_us=NOW + 1)
    assert waiting(ledger) == ["msg_2"]
    counts = ledger.outbox_counts()
    assert (counts.waiting, counts.delivered, counts.given_up) == (1, 2, 0)
    assert counts.oldest_us == NOW


def test_a_failed_message_waits_for_its_next_attempt_or_is_given_up(ledger: Ledger) -> None:
    ledger.enqueue([message(1), message(2)], now_us=NOW)
    ledger.mark_failed("msg_1", error="HTTP 500", now_us=NOW, retry_us=NOW + 5 * SECOND_US)
    ledger.mark_failed("msg_2", error="HTTP 410", now_us=NOW, retry_us=None)
    assert waiting(ledger) == []
    (again,) = ledger.due_messages(NOW + 5 * SECOND_US)
    assert (again.message_id, again.attempts, again.last_error) == ("msg_1", 1, "HTTP 500")
    assert again.body == '{"n":1}'
    counts = ledger.outbox_counts()
    assert (counts.waiting, counts.given_up, counts.last_error) == (1, 1, "HTTP 410")


def test_a_full_outbox_gives_up_the_oldest_in_the_open(ledger: Ledger) -> None:
    ledger.enqueue([message(n) for n in range(5)], now_us=NOW, most=3)
    assert waiting(ledger) == ["msg_2", "msg_3", "msg_4"]
    counts = ledger.outbox_counts()
    assert (counts.given_up, counts.last_error) == (2, "the outbox is full")


def test_old_messages_are_forgotten_unless_they_wait(ledger: Ledger) -> None:
    ledger.enqueue([message(1), message(2), message(3, created=NOW + DAY_US)], now_us=NOW)
    ledger.mark_delivered(["msg_1", "msg_3"], now_us=NOW)
    ledger.forget_messages(NOW + 1)
    assert waiting(ledger) == ["msg_2"]
    assert ledger.outbox_counts().delivered == 1
    # What is forgotten could come again; what is not does not.
    assert ledger.enqueue([message(2), message(3)], now_us=NOW) == 0
