"""Notices as events: raised in the ledger by whoever found out, told from here."""

from __future__ import annotations

from collections.abc import Iterator

from flyball.instant import DAY_US, format_instant
from ledger.notice import Notice
from ledger.outbox import OutboxCounts
from ledger.store import NoticeStore
from serving.webhooks.event import Event

#: News that are older are not told any more, for instance where a webhook is configured later.
NEWS_US = DAY_US


def notice_events(store: NoticeStore, *, now_us: int) -> Iterator[Event]:
    """What was raised or ended within the last day, oldest first."""
    for notice in reversed(store.notices(open_only=False)):
        if notice.at_us >= now_us - NEWS_US:
            yield _event("notice.raised", notice, notice.at_us)
        if notice.ended_us is not None and notice.ended_us >= now_us - NEWS_US:
            yield _event("notice.ended", notice, notice.ended_us)


def notice_json(notice: Notice) -> dict[str, object]:
    """A notice as JSON, for webhooks, ``/v1/health`` and ``flyball status``."""
    ended = {} if notice.ended_us is None else {
        "endedAt": format_instant(notice.ended_us),
        "endedBy": notice.ended_by,
        "endReason": notice.end_reason,
    }  # fmt: skip
    return {
        "id": notice.notice_id,
        "kind": notice.kind,
        "severity": notice.severity.value,
        "subject": notice.subject,
        "message": notice.message,
        "author": notice.author,
        "at": format_instant(notice.at_us),
        **ended,
    }


def outbox_json(counts: OutboxCounts) -> dict[str, object]:
    """How delivery is doing, as JSON."""
    oldest = None if counts.oldest_us is None else format_instant(counts.oldest_us)
    return {
        "waiting": counts.waiting,
        "delivered": counts.delivered,
        "givenUp": counts.given_up,
        "oldestWaiting": oldest,
        "lastError": counts.last_error,
    }


def _event(kind: str, notice: Notice, at_us: int) -> Event:
    return Event(type=kind, key=str(notice.notice_id), at_us=at_us, data=notice_json(notice))
