"""Everything that a Python service needs, in one class: what ``flyball.asgi`` hands out."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog
from prometheus_client import CollectorRegistry

from flyball.errors import InvalidInput
from flyball.instant import SECOND_US
from models.signature import load_public_key
from serving.middleware.asgi import App, Message, Receive, Scope, Send
from serving.middleware.event_poster import EventPoster
from serving.middleware.local_counters import CounterStore, LocalCounters
from serving.middleware.paced_counters import PacedCounters
from serving.middleware.redis_counters import RedisCounters
from serving.middleware.settings import ThrottleSettings
from serving.middleware.throttle import Identify, Measure, Throttle
from serving.middleware.usage_report import UsageReport
from serving.node.follower import Follower
from serving.node.metrics import NodeMetrics
from serving.node.mirroring import mirroring_from
from serving.node.node import Node

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)


def wall_clock_us() -> int:
    """Microseconds since the epoch by the machine's clock."""
    return time.time_ns() // 1_000


class FlyballMiddleware:
    """Holds the requests of an ASGI application to their tenants' limits.

    Nothing starts until the application does (its lifespan, or the first request); then two threads
    follow the service and a third posts usage.

    Parameters
    ----------
    app:
        The application.
    url:
        The Flyball service, such as ``http://flyball:8080``.
    key:
        File with the public key of its home (``keys/signing.pub``).
    directory:
        Where this process keeps its copy, its spool and its allowances; it outlives the process.
        Processes may share it: each has its own files below.
    identify:
        Gives a request's tenant id or alias, from what the application has *authenticated*; None
        for a request without one, which passes.
    token, ingest_token:
        Bearer tokens of role ``gateway`` (reads decisions) and ``ingest`` (posts usage). Without an
        ``ingest_token`` the first one is tried for both.
    name:
        What this node calls itself in usage events; default: the host's name.
    units, stored:
        See :class:`serving.middleware.throttle.Throttle`.
    redis_url, nodes:
        Shared counters, and how many processes share them.
    settings, registry:
        :class:`ThrottleSettings`; where metrics are exposed.

    Raises
    ------
    InvalidInput
        Something of this cannot be used; it says what.
    """

    def __init__(
        self,
        app: App,
        *,
        url: str,
        key: str | Path,
        directory: str | Path,
        identify: Identify,
        token: str | None = None,
        ingest_token: str | None = None,
        name: str | None = None,
        units: Measure | None = None,
        stored: Measure | None = None,
        redis_url: str | None = None,
        nodes: int = 1,
        settings: ThrottleSettings | None = None,
        registry: CollectorRegistry | None = None,
        now_us: Callable[[], int] = wall_clock_us,
    ) -> None:
        self._settings = settings or ThrottleSettings()
        self._now_us = now_us
        self._folder = Path(directory)
        public = load_public_key(Path(key))
        self._node = Node(self._folder / "mirror", public, kill=self._folder / "kill")
        self._metrics = NodeMetrics(registry)
        self._follower = Follower(
            self._node,
            mirroring_from(url, token=token, directory=self._folder / "mirror", key=public),
            now_us=now_us,
            metrics=self._metrics,
        )
        self._report = UsageReport(
            self._folder / "spool",
            source=f"gateway/{_node_name(name)}",
            post=EventPoster(url, token=ingest_token or token),
        )
        self._redis = None if redis_url is None else _redis_client(redis_url)
        self._counters = self._make_counters(nodes)
        self._throttle = Throttle(
            app,
            decisions=self._node,
            counters=self._counters,
            tally=self._report,
            identify=identify,
            now_us=now_us,
            metrics=self._metrics,
            settings=self._settings,
            units=units,
            stored=stored,
        )
        self._app = app
        self._started = False
        self._stopping = threading.Event()
        self._poster: threading.Thread | None = None
        self._upkeep: asyncio.Task[None] | None = None
        self._log = structlog.get_logger("serving.middleware")

    def _make_counters(self, nodes: int) -> CounterStore:
        delay_us = int(self._settings.soft_delay_seconds * SECOND_US)
        if self._redis is not None:
            return RedisCounters(
                self._redis,
                nodes=nodes,
                deadline_seconds=self._settings.deadline_seconds * 0.75,
                longest_delay_us=delay_us,
            )
        counters = PacedCounters(share=self._settings.share, longest_delay_us=delay_us)
        return LocalCounters(counters, keep=self._folder / "allowances")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection; the application's lifespan is ours too."""
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
            return
        if not self._started:
            self._start()
        await self._throttle(scope, receive, send)

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def told(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                self._start()
            elif message["type"].startswith("lifespan.shutdown."):
                await self._stop()
            await send(message)

        await self._app(scope, receive, told)

    def _start(self) -> None:
        if self._started:
            return
        self._started = True
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            # Limits hold as long as the copy is in memory; usage stays counted.
            self._log.error("directory_unusable", path=str(self._folder), error=str(error))
        self._follower.start()
        self._counters.open()
        self._poster = threading.Thread(target=self._post, name="flyball-usage", daemon=True)
        self._poster.start()
        self._upkeep = asyncio.get_running_loop().create_task(self._keep_up())

    async def _stop(self) -> None:
        if not self._started:
            return
        if self._upkeep is not None:
            self._upkeep.cancel()
            with suppress(asyncio.CancelledError):
                await self._upkeep
        self._counters.upkeep(self._now_us())
        self._counters.close()
        self._stopping.set()
        self._metrics.settle()
        await asyncio.to_thread(self._join)
        if self._redis is not None:
            await self._redis.aclose()

    def _join(self) -> None:
        self._follower.stop()
        if self._poster is not None:
            self._poster.join()

    async def _keep_up(self) -> None:
        # Counters belong to the event loop, so their upkeep does too.
        if isinstance(self._counters, RedisCounters):
            await self._counters.warm()
        while True:
            await asyncio.sleep(min(10.0, self._settings.flush_seconds))
            self._counters.upkeep(self._now_us())

    def _post(self) -> None:
        last = False
        while not last:
            last = self._stopping.wait(self._settings.flush_seconds)
            try:
                self._report.flush()
                self._metrics.dropped.set(self._report.dropped_batches)
            except Exception:
                # The thread must outlive any surprise: what is counted is posted next time.
                self._log.exception("usage_flush_failed")


def _node_name(name: str | None) -> str:
    if name is None:
        name = re.sub(r"[^A-Za-z0-9_.-]", "-", socket.gethostname())[:48].lstrip("_.-") or "node"
        return f"{name}-{os.getpid()}"
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f"{name[:64]!r} cannot name a node.",
            "Use 1-64 ASCII letters, digits and _ . - (a letter or digit first).",
            field="name",
        )
    return name


def _redis_client(url: str) -> Any:
    try:
        import redis.asyncio
    except ModuleNotFoundError as error:
        raise InvalidInput(
            "Shared counters need the redis package.",
            "pip install 'flyball[redis]'",
            field="redis_url",
        ) from error
    try:
        return redis.asyncio.from_url(url)
    except ValueError as error:
        raise InvalidInput(
            f"{url[:64]!r} is no address of a Redis: {error}.",
            "Write it like redis://host:6379/0.",
            field="redis_url",
        ) from error
