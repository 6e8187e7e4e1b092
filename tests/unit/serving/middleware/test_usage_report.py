"""Usage is added up, put away under stable identities, and posted until it is acknowledged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from structlog.testing import capture_logs

from flyball.instant import MINUTE_US
from serving.middleware.usage_report import UsageReport

NOW = 29_459_520 * MINUTE_US


class Service:
    """Counts by identity, as the real one does; answers only while it is up."""

    def __init__(self) -> None:
        self.up = True
        self.loses_answers = False
        self.posts = 0
        self.events: dict[tuple[str, str, str], dict[str, Any]] = {}

    def __call__(self, body: bytes) -> bool:
        if not self.up:
            return False
        self.posts += 1
        for event in json.loads(body):
            self.events[event["subject"], event["source"], event["id"]] = event
        return not self.loses_answers

    def total(self, tenant: str, meter: str = "api.requests") -> int:
        return sum(
            int(event["data"]["quantity"])
            for event in self.events.values()
            if (event["subject"], event["type"]) == (tenant, meter)
        )


def report(tmp_path: Path, service: Service) -> UsageReport:
    return UsageReport(tmp_path / "spool", source="gateway/edge-1", post=service)


def test_a_thousand_requests_are_one_event_a_minute(tmp_path: Path) -> None:
    service = Service()
    usage = report(tmp_path, service)
    for number in range(1000):
        usage.count("ent_1", "api.requests", 1, NOW + number * 100_000)
    assert usage.flush()
    assert service.total("ent_1") == 1000
    assert (service.posts, len(service.events)) == (1, 2)
    assert {event["time"] for event in service.events.values()} == {
        "2026-01-05T00:00:00Z",
        "2026-01-05T00:01:00Z",
    }


def test_a_lost_answer_counts_nothing_twice(tmp_path: Path) -> None:
    service = Service()
    usage = report(tmp_path, service)
    usage.count("ent_1", "api.requests", 5, NOW)
    service.loses_answers = True
    assert not usage.flush()
    service.loses_answers = False
    assert usage.flush()
    assert (service.posts, service.total("ent_1")) == (2, 5)


def test_what_was_put_away_outlives_the_process_and_the_service(tmp_path: Path) -> None:
    service = Service()
    service.up = False
    first = report(tmp_path, service)
    first.count("ent_1", "api.requests", 5, NOW)
    assert not first.flush()
    first.count("ent_1", "api.requests", 99, NOW)  # never flushed: what a kill loses
    service.up = True
    second = report(tmp_path, service)
    second.count("ent_1", "api.requests", 7, NOW)
    assert second.flush()
    assert service.total("ent_1") == 12


def test_what_cannot_be_put_away_stays_counted(tmp_path: Path) -> None:
    service = Service()
    (tmp_path / "spool").write_text("in the way")
    usage = report(tmp_path, service)
    usage.count("ent_1", "api.requests", 5, NOW)
    with capture_logs() as logs:
        assert not usage.flush()
        assert not usage.flush()
    # Said, but once: it is tried again every few seconds.
    assert [(line["event"], line["log_level"]) for line in logs] == [("usage_not_spooled", "error")]
    (tmp_path / "spool").unlink()
    assert usage.flush()
    assert service.total("ent_1") == 5


def test_nothing_counted_is_nothing_posted(tmp_path: Path) -> None:
    service = Service()
    assert report(tmp_path, service).flush()
    assert service.posts == 0
