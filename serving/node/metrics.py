"""A node's own metrics for Prometheus; no label ever names a tenant. See docs/reference/node.md."""

from __future__ import annotations

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
        # Looking a label up costs more than counting.
        self._outcomes: dict[str, Counter] = {}
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
        """Count one request."""
        found = self._outcomes.get(outcome)
        if found is None:
            found = self._outcomes[outcome] = self.requests.labels(outcome)
        found.inc()

    def show(self, standing: Standing, now_us: int) -> None:
        """Take over what is so now."""
        for state in _STATES:
            self.state.labels(state.value).set(standing.state is state)
        self.age.set(standing.age_us(now_us) / 1e6)
        self.refused.set(standing.why == "refused")
