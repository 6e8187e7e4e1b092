"""Messages are signed, sent until they are taken, and given up in the open."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from flyball.home import Home
from flyball.instant import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from ledger.notice import NoticeKind, Severity
from ledger.sqlite_ledger import SqliteLedger
from serving.webhooks.endpoint import WebhookSettings
from serving.webhooks.event import Event, message_of, tell
from serving.webhooks.secret_file import read_secrets
from serving.webhooks.sender import PAUSES_US, Sender
from serving.webhooks.signature import verify
from tests.unit.serving_webhooks.receiver import Receiver, receiving

NOW = 1_767_571_200_000_000


class Kit:
    """A ledger, a receiver, and a clock that the test moves."""

    def __init__(self, home: Home, ledger: SqliteLedger, receiver: Receiver) -> None:
        self.home, self.ledger, self.receiver = home, ledger, receiver
        self.settings = WebhookSettings(url=receiver.url, events=("notice", "decision"))
        self.at_us = NOW
        self.sender = Sender(home, ledger, self.settings, now_us=lambda: self.at_us)

    def happen(self, *keys: str, kind: str = "decision.changed") -> int:
        events = [Event(type=kind, key=key, at_us=NOW, data={"tenantId": key}) for key in keys]
        return tell(self.ledger, self.settings, events, now_us=self.at_us)


@pytest.fixture
def kit(tmp_path: Path) -> Iterator[Kit]:
    home = Home(tmp_path / "home")
    with SqliteLedger(home.ledger) as ledger, receiving() as receiver:
        yield Kit(home, ledger, receiver)


def test_a_notice_reaches_the_receiver_signed_and_once(kit: Kit) -> None:
    notice = kit.ledger.raise_notice(
        NoticeKind.MODEL_WITHDRAWN, Severity.CRITICAL, subject="b1", message="harm found",
        author="flyball watch", now_us=NOW,
    )  # fmt: skip
    assert kit.sender.look() == 1
    assert kit.sender.look() == 0
    ((headers, body),) = kit.receiver.got
    keys = read_secrets(kit.home.webhook_secrets)
    assert verify(keys, headers, body, now_s=NOW / SECOND_US) == headers["webhook-id"]
    assert headers["content-type"] == "application/json"
    told = json.loads(body)
    assert (told["type"], told["timestamp"]) == ("notice.raised", "2026-01-05T00:00:00Z")
    assert (told["data"]["kind"], told["data"]["message"]) == ("model_withdrawn", "harm found")
    kit.ledger.end_notice(notice.notice_id, author="ann", reason="done", now_us=NOW + 1)
    kit.at_us += 2
    assert kit.sender.look() == 1
    assert json.loads(kit.receiver.got[1][1])["type"] == "notice.ended"


def test_old_news_are_not_told_to_an_address_that_is_new(kit: Kit) -> None:
    kit.ledger.raise_notice(
        NoticeKind.MODEL_WITHDRAWN, Severity.CRITICAL, subject="b1", message="long ago",
        author="flyball watch", now_us=NOW - DAY_US - 1,
    )  # fmt: skip
    assert kit.sender.look() == 0


def test_only_wanted_events_enter_the_outbox_and_each_once(kit: Kit) -> None:
    assert kit.happen("t1", "t2") == 2
    assert kit.happen("t1") == 0
    assert kit.happen("t1", kind="billing.closed") == 0
    assert not WebhookSettings().wants("notice.raised")
    assert not kit.settings.wants("noticeboard.raised")


def test_a_message_is_tried_again_later_with_the_same_id_and_a_fresh_signature(kit: Kit) -> None:
    kit.receiver.answers = [(500, {}), (302, {"location": "http://127.0.0.1:1/"}), (200, {})]
    kit.happen("t1")
    assert kit.sender.look() == 0
    assert kit.sender.look() == 0
    assert len(kit.receiver.got) == 1
    kit.at_us += 10 * SECOND_US
    assert kit.sender.look() == 0
    assert kit.ledger.outbox_counts().last_error == "HTTP 302"
    kit.at_us += 6 * MINUTE_US
    assert kit.sender.look() == 1
    assert len(set(kit.receiver.ids)) == 1
    stamps = [int(headers["webhook-timestamp"]) for headers, _ in kit.receiver.got]
    assert stamps == sorted(set(stamps))
    keys = read_secrets(kit.home.webhook_secrets)
    for (headers, body), stamp in zip(kit.receiver.got, stamps, strict=True):
        verify(keys, headers, body, now_s=stamp)


def test_one_failure_spares_the_receiver_the_rest_for_a_while(kit: Kit) -> None:
    kit.receiver.answers = [(503, {"retry-after": "120"}), (200, {})]
    kit.happen("t1", "t2", "t3")
    kit.sender.look()
    assert len(kit.receiver.got) == 1
    kit.at_us += 119 * SECOND_US
    kit.sender.look()
    assert len(kit.receiver.got) == 1
    kit.at_us += 2 * SECOND_US
    assert kit.sender.look() == 3
    assert kit.ledger.outbox_counts().waiting == 0


def test_a_receiver_that_wants_years_of_rest_gets_a_day(kit: Kit) -> None:
    kit.receiver.answers = [(503, {"retry-after": "100000000"}), (200, {})]
    kit.happen("t1")
    kit.sender.look()
    kit.at_us += DAY_US - SECOND_US
    assert kit.sender.look() == 0
    kit.at_us += 2 * SECOND_US
    assert kit.sender.look() == 1


def test_what_was_taken_is_forgotten_after_a_week_and_what_waits_is_not(kit: Kit) -> None:
    kit.receiver.answers = [(200, {}), (500, {})]
    kit.happen("t1", "t2")
    assert kit.sender.look() == 1
    # As long as it is remembered, the same news are not told again.
    assert kit.happen("t1", "t2") == 0
    kit.at_us += 8 * DAY_US
    kit.sender.look()
    assert kit.happen("t1", "t2") == 1
    assert kit.ledger.outbox_counts().waiting == 2


def test_a_message_that_nobody_takes_is_given_up_in_the_open(kit: Kit) -> None:
    kit.receiver.answers = [(500, {})]
    kit.happen("t1")
    for _ in range(len(PAUSES_US) + 1):
        assert kit.ledger.outbox_counts().waiting == 1
        kit.sender.look()
        kit.at_us += 27 * HOUR_US
    counts = kit.ledger.outbox_counts()
    assert (counts.waiting, counts.given_up, counts.last_error) == (0, 1, "HTTP 500")
    assert len(kit.receiver.got) == len(PAUSES_US) + 1


def test_gone_means_gone(kit: Kit) -> None:
    kit.receiver.answers = [(410, {})]
    kit.happen("t1", "t2")
    kit.sender.look()
    counts = kit.ledger.outbox_counts()
    assert (counts.waiting, counts.given_up) == (1, 1)


def test_a_receiver_that_is_not_there_costs_one_attempt_a_look(kit: Kit) -> None:
    nowhere = WebhookSettings(url="http://127.0.0.1:9/", events=("decision",))
    sender = Sender(kit.home, kit.ledger, nowhere, now_us=lambda: kit.at_us)
    kit.happen("t1", "t2")
    assert sender.look() == 0
    counts = kit.ledger.outbox_counts()
    assert (counts.waiting, counts.given_up) == (2, 0)
    assert "Refused" in counts.last_error


def test_a_message_that_is_too_large_is_an_error_of_ours(kit: Kit) -> None:
    event = Event(type="decision.changed", key="t1", at_us=NOW, data={"x": "y" * 30_000})
    with pytest.raises(ValueError, match="too large"):
        message_of(event)
