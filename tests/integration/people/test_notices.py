"""Notices: seen in status and health until somebody ends them; webhooks tried by hand."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from flyball.home import Home
from ledger.notice import NoticeKind, Severity
from ledger.sqlite_ledger import open_ledger
from serving.webhooks.secret_file import read_secrets
from serving.webhooks.signature import secret_from, verify
from tests.unit.serving_webhooks.receiver import receiving

Flyball = Callable[..., Any]


def raise_one(home: Home) -> int:
    with open_ledger(home) as ledger:
        return ledger.raise_notice(
            NoticeKind.MODEL_WITHDRAWN,
            Severity.CRITICAL,
            subject="b1",
            message="Harm was found.",
            author="flyball watch",
            now_us=1_767_571_200_000_000,
        ).notice_id


def test_a_notice_stands_in_status_until_it_is_ended(home: Home, flyball: Flyball) -> None:
    assert "!! notice" not in flyball("status").out
    number = raise_one(home)
    assert f"!! notice {number} (critical): Harm was found." in flyball("status").out
    (listed,) = json.loads(flyball("notice", "--json").out)
    assert (listed["id"], listed["kind"]) == (number, "model_withdrawn")
    said = flyball("notice", "end", str(number), "--reason", "retrained", "--author", "ann")
    assert said.code == 0
    assert json.loads(flyball("status", "--json").out)["notices"] == []
    assert "no open notice" in flyball("notice").out
    assert "ended" in flyball("notice", "--all").out
    assert flyball("notice", "end", str(number), "--reason", "again").code == 2
    assert flyball("notice", "end", "77", "--reason", "what").code == 2


def test_the_secret_is_shown_and_rotated(home: Home, flyball: Flyball) -> None:
    first = flyball("webhook", "secret").out.strip()
    assert flyball("webhook", "secret").out.strip() == first
    second = flyball("webhook", "secret", "--rotate").out.strip()
    assert read_secrets(home.webhook_secrets) == (secret_from(second), secret_from(first))


def test_a_test_message_says_what_the_receiver_answered(home: Home, flyball: Flyball) -> None:
    assert "[webhooks]" in flyball("webhook", "test").err
    with receiving() as receiver:
        home.settings.write_text(f'[webhooks]\nurl = "{receiver.url}"\n')
        assert "HTTP 204" in flyball("webhook", "test").out
        ((headers, body),) = receiver.got
        verify(read_secrets(home.webhook_secrets), headers, body, now_s=time.time())
        receiver.answers = [(403, {})]
        refused = flyball("webhook", "test")
        assert refused.code == 3
        assert "HTTP 403" in refused.err
