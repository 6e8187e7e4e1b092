"""A deadline holds whatever the Redis client makes of being cancelled."""

from __future__ import annotations

import asyncio
from typing import Any

from flyball.enforcement.counters import Ask
from flyball.enforcement.terms import LimitTerms, Terms
from flyball.limit import LimitKind
from serving.middleware.redis_counters import RedisCounters

NOW = 1_767_571_200_000_000
PACE = LimitTerms(meter="api.requests", kind=LimitKind.RATE, limit=2, window_seconds=60)
TERMS = Terms(tenant_id="ent_1", limits=(PACE,), source="fresh", friction=True)


class Stubborn:
    """A client that goes on connecting for as long as it likes, cancelled or not."""

    def __init__(self) -> None:
        self.calls = 0
        self.let_go = asyncio.Event()

    def register_script(self, _: str) -> Any:
        return self._run

    async def _run(self, **_: object) -> list[object]:
        self.calls += 1
        while not self.let_go.is_set():
            try:
                await self.let_go.wait()
            except asyncio.CancelledError:
                continue
        raise ConnectionError("it came to nothing")


def test_a_client_that_cannot_be_cancelled_holds_up_no_request() -> None:
    async def scene() -> None:
        client = Stubborn()
        counters = RedisCounters(client, deadline_seconds=0.01)
        # Should it be waited for after all, the test ends and fails.
        asyncio.get_running_loop().call_later(10, client.let_go.set)
        passed = [(await counters.admit(TERMS, Ask(), NOW)).passes for _ in range(3)]
        # Answered from here while the one call is still under way.
        assert passed == [True, True, False]
        assert (client.calls, client.let_go.is_set()) == (1, False)
        assert counters.degraded
        client.let_go.set()

    asyncio.run(scene())
