"""The middleware: every request of a tenant is held to what was decided for it, or passes.

Nothing here can refuse a request because something of ours is broken: without a decision, without
counters, past a deadline or after an error of our own it passes, and ``Flyball-State`` says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from typing import Protocol

import structlog

from flyball.enforcement.counters import REQUEST_METER, Ask, queue_refusal, slots_weight
from flyball.enforcement.fields import STATE_FIELD, is_ours
from flyball.enforcement.refusal import MEDIA_TYPE, refusal_body
from flyball.enforcement.terms import LimitTerms, Terms
from flyball.enforcement.verdict import Verdict
from flyball.limit import LimitKind
from serving.middleware.asgi import App, Message, Receive, Scope, Send
from serving.middleware.judgement import UNTOUCHED, Field, Judged, Judgement
from serving.middleware.local_counters import CounterStore, LocalCounters
from serving.middleware.pace import Lane
from serving.middleware.settings import ThrottleSettings
from serving.middleware.tenancy import Tenancy
from serving.middleware.waiting import WaitingRooms
from serving.node.metrics import NodeMetrics
from serving.node.standing import State

#: Says which tenant a request belongs to, from what the application has authenticated; None: none.
Identify = Callable[[Scope], "str | None"]
#: Units of other meters that a request uses, or (for storage) what is stored now.
Measure = Callable[[Scope, str], Mapping[str, int]]

#: Tenants whose lanes are kept; when there are more, all are laid anew (microseconds each).
_MOST_LANES = 50_000
_NOTHING: Mapping[str, int] = {}
_STATE_FIELDS = {state: (STATE_FIELD.encode(), state.value.encode()) for state in State}


class Decisions(Protocol):
    """Where decisions come from: a :class:`serving.node.node.Node`, or a test's own."""

    def terms(self, name: str, now_us: int) -> tuple[Terms, State]:
        """What is enforced for a name, and from which state of the node."""


class Tally(Protocol):
    """Where usage is added up."""

    def count(self, tenant_id: str, meter: str, quantity: int, now_us: int) -> None:
        """Add to what a tenant did."""


class Passage:
    """One request on its way: what was found, and what it holds, to be let go of at its end."""

    __slots__ = ("fields", "judgement", "slots", "terms")

    terms: Terms

    def __init__(self) -> None:
        self.fields: list[Field] = []
        self.judgement: Judgement = UNTOUCHED
        self.slots: list[tuple[tuple[str, str], object, int]] = []

    def open(self, name: str) -> None:
        """Let it pass without a limit of ours, and say so."""
        self.terms = Terms(tenant_id=name, limits=(), source=State.OPEN.value)
        self.fields = [_STATE_FIELDS[State.OPEN]]
        self.judgement = UNTOUCHED


class Throttle:
    """Holds requests to the limits of their tenants.

    Parameters
    ----------
    app:
        The application behind.
    decisions, counters, tally:
        The node's copy, where requests are counted, and where usage is added up.
    identify:
        Whose request this is. There is no default: a header that a client may set is no identity.
    units, stored:
        What a request uses of other meters than ``api.requests``, and what a tenant has stored.
    now_us:
        The wall clock, in microseconds.
    """

    def __init__(
        self,
        app: App,
        *,
        decisions: Decisions,
        counters: CounterStore,
        tally: Tally,
        identify: Identify,
        now_us: Callable[[], int],
        metrics: NodeMetrics,
        settings: ThrottleSettings | None = None,
        units: Measure | None = None,
        stored: Measure | None = None,
    ) -> None:
        self._app = app
        self._decisions = decisions
        self._counters = counters
        self._tally = tally
        self._identify = identify
        self._now_us = now_us
        self._metrics = metrics
        self._settings = settings or ThrottleSettings()
        self._units = units
        self._stored = stored
        self._rooms = WaitingRooms()
        # Only counters in this process can be asked at once.
        self._paced = counters.counters if isinstance(counters, LocalCounters) else None
        self._lanes: dict[str, Lane] = {}
        self._log = structlog.get_logger("serving.middleware")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection; only HTTP requests are limited."""
        kind = scope["type"]
        if kind not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        scope = {**scope, "headers": [h for h in scope["headers"] if not _forged(h[0])]}
        name = self._identify(scope) if kind == "http" else None
        if name is None:
            await self._app(scope, receive, send)
            return
        passage = Passage()
        try:
            try:
                await self._judge(scope, name, passage)
            except Exception:
                # An error of ours costs the tenant nothing.
                self._log.exception("throttle_failed")
                passage.open(name)
            await self._go_on(scope, receive, send, passage)
        finally:
            if passage.slots:
                self._let_go(passage)

    async def _judge(self, scope: Scope, name: str, passage: Passage) -> None:
        now_us = self._now_us()
        terms, state = self._decisions.terms(name, now_us)
        passage.terms = terms
        passage.fields = [_STATE_FIELDS[state]]
        if not terms.limits:
            self._note(terms, "open" if state is State.OPEN else "unlimited", now_us)
            return
        lane = self._lane(name, terms)
        units = self._units(scope, terms.tenant_id) if self._units else _NOTHING
        stored = self._stored(scope, terms.tenant_id) if self._stored else _NOTHING
        found = None if units or stored else self._pass_at_once(scope, lane, now_us)
        if found is None or lane.waits:
            ask = Ask(method=scope["method"], path=scope["path"], units=units, stored=stored)
            if found is None:
                found = Judged(await self._admit(terms, ask, now_us, passage))
            if lane.waits and found.passes:
                refused = await self._find_slots(terms, name, ask, passage)
                if refused is not None:
                    await self._counters.give_back(terms, ask, self._now_us())
                    found = Judged(refused)
        passage.judgement = found
        passage.fields += found.fields(now_us)
        self._note(terms, "passed" if found.passes else "refused", now_us)

    def _lane(self, name: str, terms: Terms) -> Lane:
        lane = self._lanes.get(name)
        if lane is None or lane.terms is not terms:
            if len(self._lanes) >= _MOST_LANES:
                self._lanes.clear()
            share = 1 if self._paced is None else self._paced.share
            lane = self._lanes[name] = Lane(terms, share=share)
        return lane

    def _pass_at_once(self, scope: Scope, lane: Lane, now_us: int) -> Judgement | None:
        """Count a request that is as plain as most; None where it must be looked at whole."""
        pace = lane.pace
        if pace is None or self._paced is None:
            return None
        if not pace.is_plain(scope["method"], scope["path"]):
            return None
        return self._paced.pass_one(pace, lane.terms.since_us, now_us)

    async def _admit(self, terms: Terms, ask: Ask, now_us: int, passage: Passage) -> Verdict:
        verdict = await self._verdict(terms, ask, now_us, passage)
        if verdict.passes and verdict.delay_us:
            await asyncio.sleep(verdict.delay_us / 1e6)
        return verdict

    async def _verdict(self, terms: Terms, ask: Ask, now_us: int, passage: Passage) -> Verdict:
        if self._counters.immediate:
            return await self._counters.admit(terms, ask, now_us)
        try:
            async with asyncio.timeout(self._settings.deadline_seconds):
                verdict = await self._counters.admit(terms, ask, now_us)
        except TimeoutError:
            passage.fields = [_STATE_FIELDS[State.OPEN]]
            return Verdict()
        if self._counters.degraded:
            passage.fields.append((b"flyball-counters", b"local"))
        return verdict

    async def _find_slots(
        self, terms: Terms, name: str, ask: Ask, passage: Passage
    ) -> Verdict | None:
        """Wait for a slot of every concurrency limit; the refusal if there is none in time."""
        for limit in terms.limits:
            if limit.kind is not LimitKind.CONCURRENCY:
                continue
            weight = slots_weight(limit, ask)
            if weight == 0:
                continue
            key = (terms.tenant_id, limit.meter)
            ticket = await self._rooms.enter(
                key,
                lambda limit=limit: self._cap(name, limit),  # type: ignore[misc]
                queue=self._settings.queue,
                weight=weight,
                deadline_seconds=self._settings.queue_seconds,
            )
            if ticket is None:
                return queue_refusal(terms, limit)
            passage.slots.append((key, ticket, limit.limit))
        return None

    def _cap(self, name: str, limit: LimitTerms) -> int:
        """The cap now: it may have changed since the request came."""
        terms, _ = self._decisions.terms(name, self._now_us())
        for current in terms.limits:
            if current.kind is LimitKind.CONCURRENCY and current.meter == limit.meter:
                return -(-current.limit // self._settings.share)
        return 1 << 62  # no such limit any more: everybody may go on

    def _let_go(self, passage: Passage) -> None:
        for key, ticket, cap in passage.slots:
            self._rooms.leave(key, ticket, -(-cap // self._settings.share))

    async def _go_on(self, scope: Scope, receive: Receive, send: Send, passage: Passage) -> None:
        ours, terms, judgement = passage.fields, passage.terms, passage.judgement
        if not judgement.passes:
            head = scope["method"] == "HEAD"
            await _refuse(send, judgement.verdict, ours, self._plan_url(terms), head)
            return

        def told(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                # What the application says of limits would contradict what is enforced.
                kept = [h for h in message.get("headers", ()) if not _forged(bytes(h[0]))]
                message = {**message, "headers": kept + ours}
            return send(message)

        scope["flyball"] = Tenancy(terms, judgement, self._charge)
        await self._app(scope, receive, told)

    async def _charge(self, terms: Terms, meter: str, units: int) -> None:
        if units <= 0:
            return
        now_us = self._now_us()
        self._tally.count(terms.tenant_id, meter, units, now_us)
        try:
            async with asyncio.timeout(self._settings.deadline_seconds):
                await self._counters.charge(terms, meter, units, now_us)
        except Exception:
            # The answer is under way already; what it used is counted in the tally.
            self._log.exception("charge_failed")

    def _plan_url(self, terms: Terms) -> str | None:
        url = self._settings.plan_url
        return None if url is None else url.replace("{tenant}", terms.tenant_id)

    def _note(self, terms: Terms, outcome: str, now_us: int) -> None:
        self._metrics.count(outcome)
        self._tally.count(terms.tenant_id, REQUEST_METER, 1, now_us)
        if outcome == "refused":
            self._tally.count(terms.tenant_id, "api.blocked", 1, now_us)


@lru_cache(maxsize=4_096)
def _forged(name: bytes) -> bool:
    return is_ours(name.decode("latin-1").lower())


async def _refuse(
    send: Send,
    verdict: Verdict,
    ours: list[Field],
    plan_url: str | None,
    head: bool,
) -> None:
    body = refusal_body(verdict, plan_url=plan_url)
    await send(
        {
            "type": "http.response.start",
            "status": verdict.status,
            "headers": [
                (b"content-type", MEDIA_TYPE.encode()),
                (b"content-length", str(len(body)).encode()),
                (b"cache-control", b"no-store"),
                *ours,
            ],
        }
    )
    await send({"type": "http.response.body", "body": b"" if head else body})
