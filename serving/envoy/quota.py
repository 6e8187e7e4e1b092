"""``envoy.service.rate_limit_quota.v3.RateLimitQuotaService``: quotas pushed to Envoys.

An Envoy's first report of a bucket subscribes it. It is assigned its share of the tenant's limit
for a while, the assignment is renewed before it runs out, and sent anew as soon as the decision
changes or another Envoy joins or leaves. A bucket that nobody reports is abandoned.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from flyball.errors import InvalidInput
from flyball.identity import check_identifier
from serving.envoy import messages_pb2 as pb
from serving.envoy.assignment import BucketKey, abandoned, assigned, bucket_key, strategy_of
from serving.envoy.desk import Desk
from serving.envoy.dialect import request_limit
from serving.envoy.usage_reports import ReportedUsage, UsageLog

#: How often a stream looks whether a decision has changed.
LOOK_SECONDS = 0.25
#: A bucket without a report for so many assignments is abandoned.
IDLE_ASSIGNMENTS = 10
#: Buckets of one stream; an Envoy that makes one for each request would otherwise fill memory.
MOST_BUCKETS = 100_000


@dataclass(slots=True)
class _Bucket:
    tenant: str
    reported: float
    sent: bytes = b""
    renew_at: float = 0.0


@dataclass(slots=True)
class _Stream:
    buckets: dict[BucketKey, _Bucket] = field(default_factory=dict)
    news: asyncio.Event = field(default_factory=asyncio.Event)


class Quotas:
    """Answers ``StreamRateLimitQuotas`` for all Envoys of one process.

    Parameters
    ----------
    desk, usage:
        What the process shares, and where reported usage goes.
    monotonic:
        Seconds of a clock that only goes forward.
    """

    def __init__(
        self, desk: Desk, usage: UsageLog, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._desk = desk
        self._usage = usage
        self._monotonic = monotonic
        self._sharing: dict[BucketKey, int] = {}

    async def stream(self, reports: AsyncIterable[Any]) -> AsyncIterator[Any]:
        """One Envoy: its reports in, assignments out, until it goes."""
        stream = _Stream()
        reader = asyncio.create_task(self._read(reports, stream))
        try:
            while not reader.done():
                actions = self._due(stream)
                if actions:
                    yield pb.RateLimitQuotaResponse(bucket_action=actions)
                await self._rest(stream, reader)
            # A bad report ends the stream with its error.
            reader.result()
        finally:
            reader.cancel()
            for key in stream.buckets:
                self._leave(key)

    async def _rest(self, stream: _Stream, reader: asyncio.Task[None]) -> None:
        news = asyncio.create_task(stream.news.wait())
        await asyncio.wait(
            (news, reader), timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
        news.cancel()
        stream.news.clear()

    async def _read(self, reports: AsyncIterable[Any], stream: _Stream) -> None:
        domain = ""
        usage = ReportedUsage(counts_demand=self._counts_demand)
        async for message in reports:
            domain = domain or message.domain
            if not domain:
                raise InvalidInput("The first report names no domain.", field="domain")
            for report in message.bucket_quota_usages:
                self._take(report, stream, usage)
            stream.news.set()

    def _take(self, report: Any, stream: _Stream, usage: ReportedUsage) -> None:
        key = bucket_key(report.bucket_id)
        bucket = stream.buckets.get(key)
        now = self._monotonic()
        if bucket is None:
            if len(stream.buckets) >= MOST_BUCKETS:
                return
            bucket = _Bucket(self._tenant(key), now)
            stream.buckets[key] = bucket
            self._sharing[key] = self._sharing.get(key, 0) + 1
        bucket.reported = now
        elapsed = report.time_elapsed
        if bucket.tenant:
            self._usage.add(
                usage.events(
                    key,
                    bucket.tenant,
                    allowed=report.num_requests_allowed,
                    denied=report.num_requests_denied,
                    elapsed_us=elapsed.seconds * 1_000_000 + elapsed.nanos // 1_000,
                    now_us=self._desk.now_us(),
                )
            )

    def _due(self, stream: _Stream) -> list[Any]:
        """What must be sent now: changed, running out, or abandoned."""
        now, seconds = self._monotonic(), self._desk.grpc.assignment_seconds
        actions = []
        for key, bucket in list(stream.buckets.items()):
            if now - bucket.reported > IDLE_ASSIGNMENTS * seconds:
                actions.append(abandoned(key))
                del stream.buckets[key]
                self._leave(key)
                continue
            strategy = self._strategy(key, bucket.tenant)
            raw = strategy.SerializeToString(deterministic=True)
            if raw != bucket.sent or now >= bucket.renew_at:
                bucket.sent, bucket.renew_at = raw, now + seconds / 2
                actions.append(assigned(key, strategy, seconds))
        return actions

    def _strategy(self, key: BucketKey, tenant: str) -> Any:
        if not tenant:
            return strategy_of(None, 1)
        terms, _ = self._desk.book.look_up(tenant)
        return strategy_of(request_limit(terms), max(1, self._sharing.get(key, 1)))

    def _tenant(self, key: BucketKey) -> str:
        """The tenant that a bucket is of; empty where it names none that could be."""
        name = dict(key).get(self._desk.grpc.tenant_key, "")
        try:
            return check_identifier(name, field="tenant")
        except InvalidInput:
            return ""

    def _leave(self, key: BucketKey) -> None:
        left = self._sharing.get(key, 1) - 1
        if left > 0:
            self._sharing[key] = left
        else:
            self._sharing.pop(key, None)

    def _counts_demand(self) -> bool:
        meter = self._desk.meters.get("api.requests")
        return meter is None or meter.counts == "demand"
