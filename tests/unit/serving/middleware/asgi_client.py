"""Fakes around the middleware: decisions that a test changes, and a client that speaks ASGI."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flyball.enforcement.terms import LimitTerms, Terms
from flyball.limit import LimitKind
from serving.middleware.asgi import Message, Receive, Scope, Send
from serving.middleware.local_counters import CounterStore, LocalCounters
from serving.middleware.settings import ThrottleSettings
from serving.middleware.throttle import Throttle
from serving.node.metrics import NodeMetrics
from serving.node.standing import State

START_US = 1_767_571_200_000_000


def rate(limit: int) -> LimitTerms:
    return LimitTerms(meter="api.requests", kind=LimitKind.RATE, limit=limit, window_seconds=60)


def cap(limit: int) -> LimitTerms:
    return LimitTerms(meter="workflows.concurrent", kind=LimitKind.CONCURRENCY, limit=limit)


class Clock:
    def __init__(self) -> None:
        self.now = START_US

    def __call__(self) -> int:
        return self.now


@dataclass
class FakeDecisions:
    """Limits by tenant; a name without any is unknown."""

    limits: dict[str, tuple[LimitTerms, ...]] = field(default_factory=dict)
    state: State = State.FRESH

    def terms(self, name: str, now_us: int) -> tuple[Terms, State]:
        limits = () if self.state is State.OPEN else self.limits.get(name, ())
        return Terms(tenant_id=name, limits=limits, source="fresh"), self.state


@dataclass
class FakeTally:
    counts: dict[tuple[str, str], int] = field(default_factory=dict)

    def count(self, tenant_id: str, meter: str, quantity: int, now_us: int) -> None:
        self.counts[tenant_id, meter] = self.counts.get((tenant_id, meter), 0) + quantity


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self.body)
        return read


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that shows what headers reached it, and claims limits of its own."""
    seen = b",".join(sorted(name for name, _ in scope["headers"]))
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"ratelimit", b"forged")]}
    )
    await send({"type": "http.response.body", "body": seen})


async def ask(
    app: Callable[..., Any],
    tenant: str | None = "ent_1",
    *,
    method: str = "GET",
    path: str = "/",
    headers: tuple[tuple[bytes, bytes], ...] = (),
) -> Answer:
    """One request; ``tenant`` is what the application has authenticated."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "headers": list(headers),
        "state": {"tenant": tenant},
    }
    await app(scope, receive, send)
    body = b"".join(m["body"] for m in sent if m["type"] == "http.response.body")
    fields = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], fields, body)


@dataclass
class Stage:
    """A throttle with everything around it."""

    decisions: FakeDecisions = field(default_factory=FakeDecisions)
    tally: FakeTally = field(default_factory=FakeTally)
    clock: Clock = field(default_factory=Clock)
    metrics: NodeMetrics = field(default_factory=NodeMetrics)

    def throttle(
        self,
        app: Callable[..., Any] = hello,
        *,
        counters: CounterStore | None = None,
        settings: ThrottleSettings | None = None,
        **more: Any,
    ) -> Throttle:
        return Throttle(
            app,
            decisions=self.decisions,
            counters=counters or LocalCounters(),
            tally=self.tally,
            identify=lambda scope: scope["state"]["tenant"],
            now_us=self.clock,
            metrics=self.metrics,
            settings=settings,
            **more,
        )
