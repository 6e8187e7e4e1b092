"""A server under test, spoken to as Envoy does: gRPC on a real socket."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from flyball.home import Home
from serving.envoy import messages_pb2 as pb
from serving.envoy.server import AUTHORIZATION, QUOTA, RATE_LIMIT
from serving.snapshot.entry import Entry
from serving.snapshot.writer import SnapshotWriter
from serving.worker import Worker


@dataclass
class Envoy:
    """One server, its home, and a channel to it."""

    home: Home
    worker: Worker
    writer: SnapshotWriter
    port: int = 0
    metadata: tuple[tuple[str, str], ...] = ()
    channel: Any = field(default=None)

    def publish(self, *entries: Entry, aliases: dict[str, str] | None = None) -> None:
        now_us = time.time_ns() // 1_000
        self.writer.publish_all(entries, aliases=aliases or {}, created_us=now_us, as_of_us=now_us)
        self.worker.refresh()

    def check(
        self, tenant: str | None, *, extensions: dict[str, str] | None = None, path: str = "/"
    ) -> Any:
        request = pb.CheckRequest()
        http = request.attributes.request.http
        http.method, http.path = "GET", path
        if tenant is not None:
            http.headers["x-flyball-tenant"] = tenant
        request.attributes.context_extensions.update(extensions or {})
        call = self.channel.unary_unary(
            f"/{AUTHORIZATION}/Check",
            pb.CheckRequest.SerializeToString,
            pb.CheckResponse.FromString,
        )
        return call(request, timeout=10, metadata=self.metadata)

    def should_rate_limit(self, *descriptors: Any, hits: int = 0) -> Any:
        call = self.channel.unary_unary(
            f"/{RATE_LIMIT}/ShouldRateLimit",
            pb.RateLimitRequest.SerializeToString,
            pb.RateLimitResponse.FromString,
        )
        request = pb.RateLimitRequest(domain="d", descriptors=descriptors, hits_addend=hits)
        return call(request, timeout=10, metadata=self.metadata)

    def quotas(self, reports: Iterator[Any]) -> Any:
        call = self.channel.stream_stream(
            f"/{QUOTA}/StreamRateLimitQuotas",
            pb.RateLimitQuotaUsageReports.SerializeToString,
            pb.RateLimitQuotaResponse.FromString,
        )
        return call(reports, timeout=60, metadata=self.metadata)
