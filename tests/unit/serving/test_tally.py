"""Counts kept beside a metric reach it once each."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter

from serving.tally import VerdictTally


def test_every_answer_is_reported_once_under_its_verdict() -> None:
    registry = CollectorRegistry()
    tally = VerdictTally(Counter("asked", "Asked.", ["verdict"], registry=registry))

    def told(verdict: str) -> float | None:
        return registry.get_sample_value("asked_total", {"verdict": verdict})

    tally.report()
    assert told("allowed") is None
    for verdict in ("allowed", "denied", "allowed"):
        tally.count(verdict)
    assert told("allowed") is None
    for _ in range(2):
        tally.report()
        assert (told("allowed"), told("denied")) == (2, 1)
    tally.count("denied")
    tally.report()
    assert (told("allowed"), told("denied")) == (2, 2)
