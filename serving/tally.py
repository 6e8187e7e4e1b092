"""Counts that one thread adds to and another reports now and then.

A metric of several processes is a locked write into a mapped file: what is counted with every
request is counted here, and reported off its way.
"""

from __future__ import annotations

import threading

from prometheus_client import Counter


class Tally:
    """How many lookups a worker has answered; it only grows, so that reading never loses one."""

    __slots__ = ("lookups",)

    def __init__(self) -> None:
        self.lookups = 0


class VerdictTally:
    """How many requests were answered with each verdict, for a metric with that label."""

    def __init__(self, metric: Counter) -> None:
        self._metric = metric
        self._counts: dict[str, int] = {}
        self._reported: dict[str, int] = {}
        self._lock = threading.Lock()

    def count(self, verdict: str) -> None:
        """Count one answer; from one thread only."""
        self._counts[verdict] = self._counts.get(verdict, 0) + 1

    def report(self) -> None:
        """Add what came since the last report to the metric; from any thread."""
        with self._lock:
            for verdict, count in tuple(self._counts.items()):
                new = count - self._reported.get(verdict, 0)
                if new:
                    self._metric.labels(verdict).inc(new)
                    self._reported[verdict] = count
