"""The middleware: every request of a tenant is held to what was decided for it, or passes.

Nothing here can refuse a request because something of ours is broken: without a decision, without
counters, past a deadline or after an error of our own it passes, and ``Flyball-State`` says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

import structlog

from flyball.enforcement.counters import REQUEST_METER, Ask, queue_refusal, slots_weight
from flyball.enforcement.fields import STATE_FIELD, is_ours
from flyball.enforcement.refusal import MEDIA_TYPE, refusal_body
from flyball.enforcement.terms import LimitTerms, Terms
from flyball.enforcement.verdict import Verdict
from flyball.limit import LimitKind
from serving.middleware.asgi import App, Message, Receive, Scope, Send
from serving.middleware.judgement import Judged, Judgement
from serving.middleware.lane import Lane
from serving.middleware.local_counters import CounterStore, LocalCounters
from serving.middleware.settings import ThrottleSettings
from serving.middleware.tenancy import Tenancy
from serving.middleware.waiting import WaitingRooms
from serving.node.metrics import NodeMetrics
from serving.node.standing import State
from serving.pace import Field

#: Says which tenant a request belongs to, from what the application has authenticated; None: none.
Identify = Callable[[Scope], "str | None"]
#: Units of other meters that a request uses, or (for storage) what is stored now.
Measure = Callable[[Scope, str], Mapping[str, int]]

#: Tenants whose lanes are kept; when there are more, all are laid anew (microseconds each).
_MOST_LANES = 50_000
_MOST_NAMES = 4_096
_STATE_FIELDS = {state: (STATE_FIELD.encode(), state.value.encode()) for state in State}

#: Slots that a request holds: of whom and which meter, its ticket, and the cap when it came.
_Slots = list[tuple[tuple[str, str], object, int]]


class Decisions(Protocol):
    """Where decisions come from: a :class:`serving.node.node.Node`, or a test's own."""

    def terms(self, name: str, now_us: int) -> tuple[Terms, State]:
        """What is enforced for a name, and from which state of the node."""


class Tally(Protocol):
    """Where usage is added up."""

    def count(self, tenant_id: str, meter: str, quantity: int, now_us: int) -> None:
        """Add to what a tenant did."""


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
        self._measures = units is not None or stored is not None
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
        scope = {**scope, "headers": [h for h in scope["headers"] if not _CLAIMED[h[0]]]}
        name = self._identify(scope) if kind == "http" else None
        if name is None:
            await self._app(scope, receive, send)
            return
        slots: _Slots = []
        try:
            try:
                found = self._at_once(scope, name, slots)
                if found is None:
                    found = await self._judge(scope, name, slots)
            except Exception:
                # An error of ours costs the tenant nothing.
                self._log.exception("throttle_failed")
                found = _opened(name)
            if not found.passes:
                await self._refuse(scope, send, found)
                return
            ours = found.fields

            def told(message: Message) -> Awaitable[None]:
                if message["type"] == "http.response.start":
                    # What the application says of limits would contradict what is enforced.
                    kept = [h for h in message.get("headers", ()) if not _CLAIMED[bytes(h[0])]]
                    message = {**message, "headers": kept + ours}
                return send(message)

            scope["flyball"] = Tenancy(found, self._charge)
            await self._app(scope, receive, told)
        finally:
            if slots:
                self._let_go(slots)

    def _at_once(self, scope: Scope, name: str, slots: _Slots) -> Judgement | None:
        """Judge a request that is as plain as most; None: there is more to it, nothing counted.

        In few calls on purpose: each costs a microsecond when the processor has done other things
        since the last request.
        """
        now_us = self._now_us()
        terms, state = self._decisions.terms(name, now_us)
        lane = self._lanes.get(name)
        if lane is None or lane.terms is not terms:
            lane = self._lay(name, terms)
        pace = lane.pace
        if pace is None or self._paced is None or self._measures:
            return None
        if pace.endpoints and not pace.is_plain(scope["method"], scope["path"]):
            return None
        if lane.caps and not self._enter_at_once(lane, slots):
            return None
        found = self._paced.pass_one(pace, now_us)
        if found is None:
            self._let_go(slots)
            return None
        found.fields.append(_STATE_FIELDS[state])
        self._metrics.count("passed")
        self._tally.count(terms.tenant_id, REQUEST_METER, 1, now_us)
        return found

    def _enter_at_once(self, lane: Lane, slots: _Slots) -> bool:
        for key, cap in lane.caps:
            ticket = self._rooms.enter_at_once(key, cap=-(-cap // self._settings.share))
            if ticket is None:
                self._let_go(slots)
                return False
            slots.append((key, ticket, cap))
        return True

    def _lay(self, name: str, terms: Terms) -> Lane:
        if len(self._lanes) >= _MOST_LANES:
            self._lanes.clear()
        share = 1 if self._paced is None else self._paced.share
        lane = self._lanes[name] = Lane(terms, share=share)
        return lane

    async def _judge(self, scope: Scope, name: str, slots: _Slots) -> Judgement:
        now_us = self._now_us()
        terms, state = self._decisions.terms(name, now_us)
        said = [_STATE_FIELDS[state]]
        verdict = Verdict()
        if terms.limits:
            ask = Ask(
                method=scope["method"],
                path=scope["path"],
                units=self._units(scope, terms.tenant_id) if self._units else {},
                stored=self._stored(scope, terms.tenant_id) if self._stored else {},
            )
            verdict = await self._admit(terms, ask, now_us, said)
            if verdict.passes:
                if verdict.delay_us:
                    await asyncio.sleep(verdict.delay_us / 1e6)
                refused = await self._find_slots(terms, name, ask, slots)
                if refused is not None:
                    await self._counters.give_back(terms, ask, self._now_us())
                    verdict = refused
        found = Judged(terms, verdict, now_us)
        found.fields += said
        self._note(found, state, now_us)
        return found

    async def _admit(self, terms: Terms, ask: Ask, now_us: int, said: list[Field]) -> Verdict:
        if self._counters.immediate:
            return await self._counters.admit(terms, ask, now_us)
        try:
            async with asyncio.timeout(self._settings.deadline_seconds):
                verdict = await self._counters.admit(terms, ask, now_us)
        except TimeoutError:
            said[:] = [_STATE_FIELDS[State.OPEN]]
            return Verdict()
        if self._counters.degraded:
            said.append((b"flyball-counters", b"local"))
        return verdict

    async def _find_slots(self, terms: Terms, name: str, ask: Ask, slots: _Slots) -> Verdict | None:
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
            slots.append((key, ticket, limit.limit))
        return None

    def _cap(self, name: str, limit: LimitTerms) -> int:
        """The cap now: it may have changed since the request came."""
        terms, _ = self._decisions.terms(name, self._now_us())
        for current in terms.limits:
            if current.kind is LimitKind.CONCURRENCY and current.meter == limit.meter:
                return -(-current.limit // self._settings.share)
        return 1 << 62  # no such limit any more: everybody may go on

    def _let_go(self, slots: _Slots) -> None:
        while slots:
            key, ticket, cap = slots.pop()
            self._rooms.leave(key, ticket, -(-cap // self._settings.share))

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

    async def _refuse(self, scope: Scope, send: Send, found: Judgement) -> None:
        url = self._settings.plan_url
        if url is not None:
            url = url.replace("{tenant}", found.terms.tenant_id)
        body = refusal_body(found.verdict, plan_url=url)
        await send(
            {
                "type": "http.response.start",
                "status": found.verdict.status,
                "headers": [
                    (b"content-type", MEDIA_TYPE.encode()),
                    (b"content-length", str(len(body)).encode()),
                    (b"cache-control", b"no-store"),
                    *found.fields,
                ],
            }
        )
        head = scope["method"] == "HEAD"
        await send({"type": "http.response.body", "body": b"" if head else body})

    def _note(self, found: Judgement, state: State, now_us: int) -> None:
        terms = found.terms
        if not terms.limits:
            outcome = "open" if state is State.OPEN else "unlimited"
        else:
            outcome = "passed" if found.passes else "refused"
        self._metrics.count(outcome)
        self._tally.count(terms.tenant_id, REQUEST_METER, 1, now_us)
        if outcome == "refused":
            self._tally.count(terms.tenant_id, "api.blocked", 1, now_us)


def _opened(name: str) -> Judgement:
    """A request passes without a limit of ours, which is said."""
    terms = Terms(tenant_id=name, limits=(), source=State.OPEN.value)
    found = Judged(terms, Verdict(), 0)
    found.fields.append(_STATE_FIELDS[State.OPEN])
    return found


class _Claimed(dict[bytes, bool]):
    """Whether a field is for us alone to set; remembered, because few names recur all the time."""

    def __missing__(self, name: bytes) -> bool:
        if len(self) >= _MOST_NAMES:
            self.clear()
        found = self[name] = is_ours(name.decode("latin-1").lower())
        return found


_CLAIMED = _Claimed()
