"""Prometheus metrics of a serving worker; no label ever names a tenant.

Workers are processes, so the numbers live in files of ``PROMETHEUS_MULTIPROC_DIR`` (set by the
supervisor before a worker starts) and any worker can answer for all of them. Every metric is listed
in ``docs/reference/metrics.md``; a test compares the two.
"""

from __future__ import annotations

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

_LATENCY = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class WorkerMetrics:
    """The metrics of one worker process."""

    def __init__(self, registry: CollectorRegistry | None = None, *, shared: bool = True) -> None:
        self._shared = shared
        self.registry = registry or CollectorRegistry()
        self.lookups = Counter(
            "flyball_lookups_total",
            "Decision lookups answered.",
            ["source"],
            registry=self.registry,
        )
        self.events = Counter(
            "flyball_events_total",
            "Usage events received over HTTP, by what became of them.",
            ["outcome"],
            registry=self.registry,
        )
        self.requests = Counter(
            "flyball_http_requests_total",
            "HTTP requests answered by the API (lookups apart), by route and status class.",
            ["route", "status"],
            registry=self.registry,
        )
        self.latency = Histogram(
            "flyball_http_request_seconds",
            "Time to answer an API request (lookups apart), in seconds.",
            ["route"],
            buckets=_LATENCY,
            registry=self.registry,
        )
        self.evaluated = Counter(
            "flyball_evaluations_total",
            "Tenants scored on demand.",
            registry=self.registry,
        )
        self.evaluations_refused = Counter(
            "flyball_evaluations_refused_total",
            "Requests to score on demand that were refused: bad input, no right, or too many.",
            registry=self.registry,
        )
        self.authorized = Counter(
            "flyball_authorize_total",
            "Requests that gateways asked about, by what was answered.",
            ["verdict"],
            registry=self.registry,
        )
        self.snapshot_age = Gauge(
            "flyball_snapshot_age_seconds",
            "Age of the snapshot that this service answers from.",
            registry=self.registry,
            multiprocess_mode="max",
        )
        self.snapshot_epoch = Gauge(
            "flyball_snapshot_epoch",
            "Epoch of the snapshot's base file.",
            registry=self.registry,
            multiprocess_mode="min",
        )
        self.snapshot_tenants = Gauge(
            "flyball_snapshot_tenants",
            "Tenants in the snapshot.",
            registry=self.registry,
            multiprocess_mode="min",
        )
        self.snapshot_refused = Gauge(
            "flyball_snapshot_refused",
            "1 while the newest snapshot file is refused (unsigned, corrupt, older).",
            registry=self.registry,
            multiprocess_mode="max",
        )
        self.killed = Gauge(
            "flyball_kill_switch",
            "1 while the kill switch is on.",
            registry=self.registry,
            multiprocess_mode="max",
        )

    def exposition(self) -> tuple[bytes, str]:
        """All workers' metrics in the Prometheus text format, and its media type."""
        registry = self.registry
        if self._shared:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry), CONTENT_TYPE_LATEST
