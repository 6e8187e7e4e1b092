"""A node's own metrics for Prometheus; no label ever names a tenant. See docs/reference/node.md."""

from __future__ import annotations

import threading

from prometheus_client import CollectorRegistry, Counter, Gauge

from serving.node.standing import Standing, State

_STATES = tuple(State)


class NodeMetrics:
    """The metrics of one process that enforces.

    ``registry`` is where they are exposed; None keeps them out of sight (a registry of their own).
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self.requests = Counter(
            "flyball_node_requests_total",
            "Requests seen, by what became of them.",
            ["outcome"],
            registry=self.registry,
        )
        # Counted as plain numbers, which costs a tenth, and settled at every look at the node.
        self._seen: dict[str, int] = {}
        self._settled: dict[str, int] = {}
        self._settling = threading.Lock()
        self.state = Gauge(
            "flyball_node_state",
            "1 for the state that this node enforces from.",
            ["state"],
            registry=self.registry,
        )
        self.age = Gauge(
            "flyball_node_snapshot_age_seconds",
            "Age of the decisions that this node holds.",
            registry=self.registry,
        )
        self.refused = Gauge(
            "flyball_node_refused",
            "1 while the newest data was not signed as it should be.",
            registry=self.registry,
        )
        self.dropped = Gauge(
            "flyball_node_usage_batches_dropped",
            "Batches of usage given up because the service was out of reach for too long.",
            registry=self.registry,
        )

    def count(self, outcome: str) -> None:
        """Count one request; from one thread only. Exposed by the next :meth:`settle`."""
        self._seen[outcome] = self._seen.get(outcome, 0) + 1

    def settle(self) -> None:
        """Expose what was counted. From any thread."""
        with self._settling:
            for outcome, seen in tuple(self._seen.items()):
                # A difference of totals: whatever is counted meanwhile is in the next one.
                new = seen - self._settled.get(outcome, 0)
                if new:
                    self._settled[outcome] = seen
                    self.requests.labels(outcome).inc(new)

    def show(self, standing: Standing, now_us: int) -> None:
        """Take over what is so now."""
        for state in _STATES:
            self.state.labels(state.value).set(standing.state is state)
        self.age.set(standing.age_us(now_us) / 1e6)
        self.refused.set(standing.why == "refused")
        self.settle()
