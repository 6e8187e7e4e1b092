"""Counters that nodes share, in a real Redis: exact while it is there, a share without it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from flyball.enforcement.counters import Ask
from flyball.enforcement.terms import EndpointTerms, LimitTerms, Terms
from flyball.limit import LimitKind
from serving.middleware.redis_counters import RedisCounters
from tests.integration.node.redis_process import RedisProcess

redis = pytest.importorskip("redis.asyncio")


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisProcess]:
    process = RedisProcess(tmp_path)
    process.start()
    yield process
    process.stop()


def terms(
    limit: int, tenant: str = "ent_1", *, friction: bool = True, since_us: int | None = None
) -> Terms:
    # A day's window: nothing worth speaking of drains during a test.
    pace = LimitTerms(meter="api.requests", kind=LimitKind.RATE, limit=limit, window_seconds=86_400)
    return Terms(
        tenant_id=tenant, limits=(pace,), source="fresh", friction=friction, since_us=since_us
    )


def now_us() -> int:
    return time.time_ns() // 1_000


@asynccontextmanager
async def nodes(redis_server: RedisProcess, count: int) -> AsyncIterator[list[RedisCounters]]:
    clients = [redis.from_url(redis_server.url) for _ in range(count)]
    try:
        # A generous deadline: these tests are about counts, the machine may be busy.
        yield [RedisCounters(c, nodes=count, deadline_seconds=30.0) for c in clients]
    finally:
        for client in clients:
            await client.aclose()


async def passing(at: RedisCounters, of: Terms, ask: Ask | None = None, most: int = 1000) -> int:
    count = 0
    while count < most and (await at.admit(of, ask or Ask(), now_us())).passes:
        count += 1
    return count


def test_nodes_share_one_counter_and_a_change_resets_nothing(redis_server: RedisProcess) -> None:
    async def scene() -> None:
        async with nodes(redis_server, 2) as (one, two):
            assert await passing(one, terms(100), most=60) == 60
            assert await passing(two, terms(100)) == 40
            assert await passing(one, terms(130)) == 30
            assert await passing(two, terms(70)) == 0
            assert await passing(two, terms(5, "ent_2")) == 5

    asyncio.run(scene())


def test_many_at_once_pass_exactly_the_limit(redis_server: RedisProcess) -> None:
    async def scene() -> None:
        async with nodes(redis_server, 2) as both:
            verdicts = await asyncio.gather(
                *(both[n % 2].admit(terms(50), Ask(), now_us()) for n in range(120))
            )
            assert sum(verdict.passes for verdict in verdicts) == 50

    asyncio.run(scene())


def test_the_wait_is_told_and_true(redis_server: RedisProcess) -> None:
    async def scene() -> None:
        pace = LimitTerms(meter="api.requests", kind=LimitKind.RATE, limit=2, window_seconds=1)
        of = Terms(tenant_id="ent_1", limits=(pace,), source="fresh")
        async with nodes(redis_server, 1) as (node,):
            assert await passing(node, of) >= 2
            wait_us = (await node.admit(of, Ask(), now_us())).states[0].wait_us
            assert 0 < wait_us <= 500_000
            await asyncio.sleep(wait_us / 1e6)
            assert (await node.admit(of, Ask(), now_us())).passes

    asyncio.run(scene())


def test_all_limits_of_a_request_count_or_none(redis_server: RedisProcess) -> None:
    async def scene() -> None:
        exports = EndpointTerms(pattern="POST /exports", weight=10, limit=3)
        base = terms(100)
        of = replace(
            base,
            limits=(
                replace(base.limits[0], endpoints=(exports,)),
                LimitTerms(
                    meter="ai.tokens",
                    kind=LimitKind.QUOTA,
                    limit=20,
                    window_seconds=2_592_000,
                    paid=True,
                ),
            ),
        )
        ask = Ask(method="POST", path="/exports", units={"ai.tokens": 9})
        async with nodes(redis_server, 2) as (one, two):
            assert await passing(one, of, ask) == 2
            assert (await two.admit(of, ask, now_us())).status == 402
            assert await passing(two, of) == 80

    asyncio.run(scene())


def test_what_was_given_back_and_charged_counts_for_everybody(redis_server: RedisProcess) -> None:
    async def scene() -> None:
        async with nodes(redis_server, 2) as (one, two):
            assert await passing(one, terms(3)) == 3
            await two.give_back(terms(3), Ask(), now_us())
            assert await passing(one, terms(3)) == 1
            await one.charge(terms(10), "api.requests", 6, now_us())
            assert await passing(two, terms(10)) == 1

    asyncio.run(scene())


@pytest.mark.parametrize("how", ["stopped", "silent"])
def test_without_redis_a_node_goes_on_with_its_share_and_no_fresh_bucket(
    redis_server: RedisProcess, how: str
) -> None:
    async def scene() -> None:
        async with nodes(redis_server, 2) as (one, two):
            assert await passing(one, terms(100), most=30) == 30
            one._deadline_seconds = two._deadline_seconds = 0.1
            redis_server.stop() if how == "stopped" else redis_server.pause()
            # A node's share of 100 is 50; this one has let 30 through already, the other none.
            assert await passing(one, terms(100)) == 20
            assert one.degraded
            assert await passing(two, terms(100)) == 50
            redis_server.start() if how == "stopped" else redis_server.resume()
            one._deadline_seconds = two._deadline_seconds = 30.0
            one._rests_until = two._rests_until = 0.0
            assert (await two.admit(terms(1000), Ask(), now_us())).passes
            assert not two.degraded

    asyncio.run(scene())


def test_without_redis_nobody_is_refused_below_the_base_limit_where_there_is_no_friction(
    redis_server: RedisProcess,
) -> None:
    async def scene() -> None:
        async with nodes(redis_server, 4) as (one, *_):
            redis_server.stop()
            assert await passing(one, terms(100, friction=False)) == 100

    asyncio.run(scene())


def test_a_redis_that_is_away_is_not_asked_at_every_request(
    redis_server: RedisProcess,
) -> None:
    async def scene() -> None:
        async with nodes(redis_server, 1) as (node,):
            redis_server.pause()
            node._deadline_seconds = 0.05
            began = time.monotonic()
            assert await passing(node, terms(200)) == 200
            # One deadline, not two hundred; generous for a busy machine.
            assert time.monotonic() - began < 5

    asyncio.run(scene())
