"""Who changed and to what, in small messages, and nothing that a tenant must not see."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from flyball.decision import Assignment, Decision, Mode
from flyball.errors import StorageError
from ledger.sqlite_ledger import SqliteLedger
from serving.decision_news import DecisionNews, decision_events, is_news
from serving.snapshot.version import Version
from serving.webhooks.endpoint import WebhookSettings
from serving.webhooks.event import MOST_BODY_BYTES, Event, message_of

NOW = 1_700_000_000_000_000


def decision(tenant: str = "t1", arm: int = 85, base: int = 10_000) -> Decision:
    return Decision(
        decision_id=f"d_{tenant}", tenant_id=tenant, organisation=tenant, mode=Mode.LIVE,
        assignment=Assignment.DRAWN, period_start_us=NOW, period_days=7, decided_us=NOW, arm=arm,
        served_arm=arm, proposed_arm=arm, offered={arm: 1.0}, propensity=0.5,
        reasons=("upgrade_effect_outweighs_churn",), policy="value", base_limit=base,
        contract_limit=base, window_seconds=60, upgrade_probability=0.123456,
        churn_probability=0.034567,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("now", "before", "news"),
    [
        (decision(arm=85), None, True),
        (decision(arm=100), None, False),
        (decision(arm=85), decision(arm=85), False),
        (decision(arm=85), decision(arm=100), True),
        (decision(arm=100), decision(arm=85), True),
        (decision(base=20_000), decision(), True),
        # Fresh probabilities change nothing that is enforced.
        (replace(decision(), upgrade_probability=0.9), decision(), False),
    ],
)
def test_only_what_a_gateway_would_do_otherwise_is_news(
    now: Decision, before: Decision | None, news: bool
) -> None:
    assert is_news(now, before) is news


def test_messages_are_small_and_hold_everybody_once() -> None:
    changed = [decision(f"tenant_{'x' * 100}_{n}") for n in range(120)]
    events = list(decision_events(changed, Version(3, 12), now_us=NOW))
    messages = [message_of(event) for event in events]
    assert len({message.message_id for message in messages}) == len(messages) == 3
    assert all(len(message.body) <= MOST_BODY_BYTES for message in messages)
    bodies = [msgspec.json.decode(message.body) for message in messages]
    told = [one["tenantId"] for body in bodies for one in body["data"]["decisions"]]
    assert told == [one.tenant_id for one in changed]
    assert {body["data"]["version"] for body in bodies} == {"3.12"}


def test_a_message_carries_limits_but_no_probability_and_no_reason() -> None:
    (event,) = decision_events([decision()], Version(3, 12), now_us=NOW)
    message = message_of(event)
    assert msgspec.json.decode(message.body)["data"]["decisions"] == [
        {
            "tenantId": "t1", "decisionId": "d_t1", "dynamicMultiplier": 0.85,
            "enforceFriction": True, "baseLimit": 10_000, "effectiveLimit": 8_500,
            "windowSeconds": 60,
        }
    ]  # fmt: skip
    for secret in ("probab", "churn", "upgrade", "0.12", "0.03", "propens"):
        assert secret not in message.body.lower()


def test_when_most_have_changed_a_message_only_says_how_many() -> None:
    changed = [decision(f"t{n}") for n in range(2_001)]
    (event,) = decision_events(changed, Version(3, 12), now_us=NOW)
    assert event.data == {"version": "3.12", "changed": 2_001, "decisions": []}


def test_messages_wait_in_the_outbox_for_whoever_wants_them(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.sqlite")
    for events, waiting in ((("notice",), 0), (("decision",), 1)):
        settings = WebhookSettings(url="https://example.com/hook", events=events)
        news = DecisionNews(ledger, settings)
        for _ in range(2):
            news.tell([decision()], {}, Version(3, 12), now_us=NOW)
        assert ledger.outbox_counts().waiting == waiting
    ledger.close()


def test_a_ledger_that_cannot_be_written_stops_no_decision(tmp_path: Path) -> None:
    class Full(SqliteLedger):
        def enqueue(self, *_: object, **__: object) -> int:
            raise StorageError("No space is left.")

    ledger = Full(tmp_path / "ledger.sqlite")
    settings = WebhookSettings(url="https://example.com/hook", events=("decision",))
    DecisionNews(ledger, settings).tell([decision()], {}, Version(3, 12), now_us=NOW)
    ledger.close()


def told_of(event: Event) -> list[dict[str, Any]]:
    body = msgspec.json.decode(message_of(event).body)
    decisions: list[dict[str, Any]] = body["data"]["decisions"]
    return decisions


def test_a_primary_storage_limit_is_told_as_it_is_enforced() -> None:
    # 93 % of the base are stored: that much is left, whatever the arm.
    (event,) = decision_events(
        [decision(), decision("t2")], Version(3, 12), now_us=NOW, floors={"t1": 93}
    )
    first, second = told_of(event)
    assert (first["dynamicMultiplier"], first["effectiveLimit"]) == (0.85, 9_300)
    assert first["enforceFriction"] is True
    assert second["effectiveLimit"] == 8_500
    (full,) = decision_events([decision()], Version(3, 12), now_us=NOW, floors={"t1": 100})
    (told,) = told_of(full)
    assert (told["effectiveLimit"], told["enforceFriction"]) == (10_000, False)


def test_storing_more_is_news_once_though_the_arm_stays(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.sqlite")
    settings = WebhookSettings(url="https://example.com/hook", events=("decision",))
    news, before = DecisionNews(ledger, settings), {"t1": decision()}
    waiting = []
    # The first publication after a start does not know what was told before.
    for number, floor in enumerate((90, 90, 93, 93, 80, 0)):
        floors = {"t1": floor} if floor else {}
        news.tell([decision()], before, Version(3, number), now_us=NOW, floors=floors)
        waiting.append(ledger.outbox_counts().waiting)
    assert waiting == [0, 0, 1, 1, 2, 2]
    ledger.close()
