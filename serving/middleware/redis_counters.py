"""Counters that several nodes share in Redis, and what holds when Redis does not answer.

A request is counted by one script, which Redis runs alone: all of a request's counters or none, on
Redis's own clock. The arithmetic is that of :mod:`flyball.enforcement.bucket` in doubles, whose
53 bits are exact for limits up to 10^12 units. All keys of a tenant share one hash slot.

When Redis does not answer within the deadline, this node enforces its share of every limit, the
limit divided by the number of nodes and rounded up, with counters of its own; they have been
counting all along what passed here, so that no fresh bucket is handed out. Where no friction is
enforced the share is the whole limit: a failure of ours must not refuse anybody below the base
limit. Redis is asked again after a second; what passed meanwhile is not added to its counters.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

import structlog

from flyball.enforcement.allowance import is_soft, soft_delay_us, window_of
from flyball.enforcement.counters import Ask, Charge, Counters, charges_of
from flyball.enforcement.terms import Terms
from flyball.enforcement.verdict import LimitState, Verdict
from flyball.instant import SECOND_US
from flyball.limit import LimitKind

#: How long Redis is left alone after it failed.
REST_SECONDS = 1.0
#: How long the first connection may take.
WARM_SECONDS = 5.0

# KEYS: one counter each. ARGV[1]: 1 if refusing is possible, 0 to count whatever it comes to, -1 to
# give back. Then seven values a key:
#   rate   "r", limit, size, window µs, units, µs since the limit changed, 0
#   quota  "q", limit, units, window id, seconds to keep, 0, 0
# Returns per key: refused (0/1), in use (text), wait µs (text).
_SCRIPT = """
local now = redis.call('TIME')
now = now[1] * 1000000 + now[2]
local mode = tonumber(ARGV[1])
local out, sets, refused = {}, {}, false
for i, key in ipairs(KEYS) do
  local at = 2 + (i - 1) * 7
  local limit = tonumber(ARGV[at + 1])
  if ARGV[at] == 'r' then
    local size, window = tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
    local units, lag = tonumber(ARGV[at + 4]), tonumber(ARGV[at + 5])
    local held = redis.call('HMGET', key, 'u', 't', 'l', 'w')
    local used, seen = tonumber(held[1]) or 0, tonumber(held[2]) or now
    local old, old_window = tonumber(held[3]) or limit, tonumber(held[4]) or window
    if now > seen then
      local change = math.max(seen, now - lag)
      if old == limit and old_window == window then change = now end
      used = math.max(0, used - old * (change - seen) / old_window)
      used = math.max(0, used - limit * (now - change) / window)
      seen = now
    end
    local wait = 0
    if mode == 1 then
      local over = used + math.min(units, size) - size
      if over > 1e-6 then wait = math.max(1, math.ceil(over * window / limit)) end
    elseif mode == -1 then
      units = -units
    end
    local after = used
    if wait > 0 then refused = true else after = math.max(0, used + units) end
    sets[i] = {used, after, seen, limit, window}
    out[i] = {wait > 0 and 1 or 0, wait > 0 and used or after, wait}
  else
    local units = tonumber(ARGV[at + 2])
    local held = redis.call('HMGET', key, 'u', 'p')
    local used = held[2] == ARGV[at + 3] and tonumber(held[1]) or 0
    local no = mode == 1 and used + math.max(units, 1) > limit
    if mode == -1 then units = -units end
    if no then refused = true end
    local after = no and used or math.max(0, used + units)
    sets[i] = {used, after, ARGV[at + 3], tonumber(ARGV[at + 4])}
    out[i] = {no and 1 or 0, after, 0}
  end
end
for i, key in ipairs(KEYS) do
  local s = sets[i]
  local used = refused and s[1] or s[2]
  if ARGV[2 + (i - 1) * 7] == 'r' then
    redis.call('HSET', key, 'u', string.format('%.17g', used), 't', string.format('%d', s[3]),
      'l', string.format('%.17g', s[4]), 'w', string.format('%.17g', s[5]))
    redis.call('PEXPIRE', key, math.max(1000, math.ceil(used * s[5] / s[4] / 1000) + 1000))
  else
    redis.call('HSET', key, 'u', string.format('%.17g', used), 'p', s[3])
    redis.call('EXPIRE', key, s[4])
  end
  out[i] = {out[i][1], string.format('%.17g', out[i][2]), string.format('%.0f', out[i][3])}
end
return out
"""

_MAY_REFUSE, _COUNT_ANYWAY, _GIVE_BACK = 1, 0, -1


class RedisCounters:
    """A :class:`serving.middleware.local_counters.CounterStore` in Redis.

    Parameters
    ----------
    client:
        A ``redis.asyncio.Redis``.
    nodes:
        How many nodes share the limits when each is on its own (≥ 1).
    prefix:
        What keys begin with.
    deadline_seconds:
        How long Redis may take.
    """

    immediate = False

    def __init__(
        self,
        client: Any,
        *,
        nodes: int = 1,
        prefix: str = "flyball",
        deadline_seconds: float = 0.015,
        longest_delay_us: int = SECOND_US // 2,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._script = client.register_script(_SCRIPT)
        self._prefix = prefix
        self._deadline_seconds = deadline_seconds
        self._longest_delay_us = longest_delay_us
        self._clock = clock
        # Two books of what passed here: by shares for friction, whole for everybody else.
        self._shares = Counters(share=nodes, longest_delay_us=longest_delay_us)
        self._whole = Counters(longest_delay_us=longest_delay_us)
        self._rests_until = 0.0
        self._failing = False
        # Held, or they could be collected before they end.
        self._calls: set[asyncio.Future[Any]] = set()
        self._log = structlog.get_logger("serving.middleware")

    @property
    def degraded(self) -> bool:
        """Whether the last request was counted here instead of in Redis."""
        return self._failing

    async def admit(self, terms: Terms, ask: Ask, now_us: int) -> Verdict:
        """Count a request in Redis, or, while it does not answer, here."""
        charges = list(charges_of(terms, ask))
        local = self._whole if not terms.friction else self._shares
        shared = [charge for charge in charges if charge.terms.kind is not LimitKind.STORAGE]
        found = await self._run(_MAY_REFUSE, shared, terms, now_us) if shared else []
        if found is None:
            return local.admit(terms, ask, now_us)
        states = {}
        for charge, (refused, used, wait_us) in zip(shared, found, strict=True):
            states[charge.key] = _state(charge, refused == 1, used, wait_us, now_us)
        verdict = local.look(terms, ask, now_us)
        merged = tuple(
            states.get(charge.key, state)
            for charge, state in zip(charges, verdict.states, strict=True)
        )
        if any(state.refused for state in merged):
            if not any(states[key].refused for key in states) and shared:
                # Only storage says no, which Redis knows nothing of: take the rest back.
                await self._run(_GIVE_BACK, shared, terms, now_us)
            return Verdict(states=merged)
        self._count_here(terms, ask, now_us)
        delay_us = max((self._delay_us(charge, states) for charge in shared), default=0)
        return Verdict(states=merged, delay_us=max(delay_us, verdict.delay_us))

    async def give_back(self, terms: Terms, ask: Ask, now_us: int) -> None:
        """Undo an admitted request, here and there."""
        self._shares.give_back(terms, ask)
        self._whole.give_back(terms, ask)
        shared = [c for c in charges_of(terms, ask) if c.terms.kind is not LimitKind.STORAGE]
        if shared:
            await self._run(_GIVE_BACK, shared, terms, now_us)

    async def charge(self, terms: Terms, meter: str, units: int, now_us: int) -> None:
        """Count what is known only afterwards, here and there."""
        self._shares.charge(terms, meter, units, now_us)
        self._whole.charge(terms, meter, units, now_us)
        charges = [
            Charge((terms.tenant_id, meter, ""), limit, units)
            for limit in terms.limits
            if limit.meter == meter and limit.kind in (LimitKind.RATE, LimitKind.QUOTA)
        ]
        if charges:
            await self._run(_COUNT_ANYWAY, charges, terms, now_us)

    def open(self) -> None:
        """Nothing to do: connections are made when they are needed."""

    async def warm(self) -> None:
        """Connect, and hand Redis the script, before a request has to wait for either."""
        try:
            async with asyncio.timeout(WARM_SECONDS):
                await self._client.script_load(_SCRIPT)
        except Exception as error:
            # Redis may come later; until then requests are counted here.
            self._log.warning("shared_counters_away", error=str(error) or type(error).__name__)

    def close(self) -> None:
        """Nothing to do: the client belongs to whoever made it."""

    def upkeep(self, now_us: int) -> None:
        """Forget idle local counters; Redis forgets its own."""
        self._shares.forget_idle(now_us)
        self._whole.forget_idle(now_us)

    def _count_here(self, terms: Terms, ask: Ask, now_us: int) -> None:
        self._shares.count(terms, ask, now_us)
        self._whole.count(terms, ask, now_us)

    def _delay_us(self, charge: Charge, states: dict[tuple[str, str, str], LimitState]) -> int:
        if charge.terms.kind is not LimitKind.QUOTA:
            return 0
        return soft_delay_us(
            charge.terms.limit - states[charge.key].remaining,
            limit=charge.terms.limit,
            soft=charge.terms.soft,
            longest_us=self._longest_delay_us,
        )

    async def _run(
        self, mode: int, charges: Sequence[Charge], terms: Terms, now_us: int
    ) -> list[tuple[int, float, int]] | None:
        """The script's answer for each charge; None while Redis does not answer."""
        if self._clock() < self._rests_until:
            return None
        keys = [self._key(charge) for charge in charges]
        values: list[str | int] = [mode]
        for charge in charges:
            values += _arguments(charge, terms, now_us)
        call = asyncio.ensure_future(self._script(keys=keys, args=values))
        self._calls.add(call)
        call.add_done_callback(self._ended)
        try:
            # Watched, not awaited: while it connects, the client takes seconds to be cancelled.
            await asyncio.wait((call,), timeout=self._deadline_seconds)
            if not call.done():
                raise TimeoutError("No answer within the deadline.")
            raw = call.result()
            found = [(int(refused), float(used), int(wait)) for refused, used, wait in raw]
        except Exception as error:
            # Whatever fails in Redis or on the way to it, the request must not suffer for it.
            self._rests_until = self._clock() + REST_SECONDS
            if not self._failing:
                self._log.warning("shared_counters_away", error=str(error) or type(error).__name__)
            self._failing = True
            return None
        finally:
            call.cancel()
        if self._failing:
            self._log.info("shared_counters_back")
        self._failing = False
        return found

    def _ended(self, call: asyncio.Future[Any]) -> None:
        self._calls.discard(call)
        if not call.cancelled():
            # Whatever it was came too late to matter, or has been told.
            call.exception()

    def _key(self, charge: Charge) -> str:
        tenant, meter, pattern = charge.key
        kind = "b" if charge.terms.kind is LimitKind.RATE else "a"
        return f"{self._prefix}:{{{tenant}}}:{kind}:{meter}:{pattern}"


def _arguments(charge: Charge, terms: Terms, now_us: int) -> list[str | int]:
    limit = charge.terms
    seconds = limit.window_seconds or 60
    if limit.kind is LimitKind.RATE:
        lag_us = 0 if terms.since_us is None else max(0, now_us - terms.since_us)
        return ["r", limit.limit, limit.size, seconds * SECOND_US, charge.units, lag_us, 0]
    start_us, end_us = window_of(seconds, now_us)
    keep_seconds = max(1, (end_us - start_us) // SECOND_US) + 3_600
    return ["q", limit.limit, charge.units, f"{seconds}:{start_us}", keep_seconds, 0, 0]


def _state(charge: Charge, refused: bool, used: float, wait_us: int, now_us: int) -> LimitState:
    limit = charge.terms
    seconds = limit.window_seconds or 60
    if limit.kind is LimitKind.RATE:
        remaining = max(0, int(limit.size - used + 1e-6))
        reset_us = int(used * seconds * SECOND_US / limit.limit)
    else:
        remaining = max(0, int(limit.limit - used))
        reset_us = window_of(seconds, now_us)[1] - now_us
        wait_us = reset_us if refused else 0
    return LimitState(
        policy=charge.policy,
        meter=limit.meter,
        kind=limit.kind,
        limit=limit.limit,
        window_seconds=limit.window_seconds,
        remaining=remaining,
        reset_us=reset_us,
        wait_us=wait_us,
        refused=refused,
        soft=is_soft(limit.limit - remaining, limit=limit.limit, soft=limit.soft),
        paid=limit.paid,
    )
