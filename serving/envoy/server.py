"""The gRPC server: three services on one address."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc

from flyball.errors import InvalidInput, StorageError
from serving.envoy import messages_pb2 as pb
from serving.envoy.authorization import Authorization
from serving.envoy.desk import Desk
from serving.envoy.grpc_settings import GrpcSettings
from serving.envoy.quota import Quotas
from serving.envoy.rate_limit import RateLimits
from serving.envoy.usage_reports import UsageLog

AUTHORIZATION = "envoy.service.auth.v3.Authorization"
RATE_LIMIT = "envoy.service.ratelimit.v3.RateLimitService"
QUOTA = "envoy.service.rate_limit_quota.v3.RateLimitQuotaService"

_GRACE_SECONDS = 2.0
_MAX_MESSAGE = 4 * 1024 * 1024


class EnvoyServer:
    """The services of one process, on one address.

    Parameters
    ----------
    desk:
        Decisions, counters and settings.

    Use as an asynchronous context manager; ``port`` is known once it has been entered.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._usage = UsageLog(self._append)
        self._server: Any = None
        self._committing: asyncio.Task[None] | None = None
        #: The TCP port that was bound; 1 for a Unix socket (as gRPC says).
        self.port = 0

    async def __aenter__(self) -> EnvoyServer:
        options = [
            ("grpc.so_reuseport", 0),
            ("grpc.max_receive_message_length", _MAX_MESSAGE),
            ("grpc.keepalive_time_ms", 30_000),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
        ]
        self._server = grpc.aio.server(options=options)
        self._server.add_generic_rpc_handlers(self._handlers())
        self.port = self._bind(self._desk.grpc)
        await self._server.start()
        self._committing = asyncio.create_task(self._usage.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop(_GRACE_SECONDS)
        if self._committing is not None:
            self._committing.cancel()
        await self._usage.drain()

    async def wait(self) -> None:
        """Until the server is stopped."""
        await self._server.wait_for_termination()

    def _bind(self, settings: GrpcSettings) -> int:
        listen = settings.listen
        try:
            if settings.certificate:
                port: int = self._server.add_secure_port(listen, _credentials(settings))
            else:
                port = self._server.add_insecure_port(listen)
        except RuntimeError as error:
            raise StorageError(
                f"Cannot listen on {listen} for gRPC.",
                "Stop what uses the address, or set another grpc.listen.",
            ) from error
        return port

    def _handlers(self) -> tuple[Any, ...]:
        authorization = Authorization(self._desk)
        limits = RateLimits(self._desk)
        quotas = Quotas(self._desk, self._usage)

        async def check(request: Any, context: Any) -> Any:
            await self._admit(context)
            return authorization.check(request)

        async def should_rate_limit(request: Any, context: Any) -> Any:
            await self._admit(context)
            return limits.should_rate_limit(request)

        async def stream(requests: Any, context: Any) -> AsyncIterator[Any]:
            await self._admit(context)
            try:
                async for response in quotas.stream(requests):
                    yield response
            except InvalidInput as error:
                await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))

        return (
            _service(
                AUTHORIZATION,
                # Answers are bytes already.
                Check=grpc.unary_unary_rpc_method_handler(check, pb.CheckRequest.FromString),
            ),
            _service(
                RATE_LIMIT,
                ShouldRateLimit=grpc.unary_unary_rpc_method_handler(
                    should_rate_limit,
                    pb.RateLimitRequest.FromString,
                    pb.RateLimitResponse.SerializeToString,
                ),
            ),
            _service(
                QUOTA,
                StreamRateLimitQuotas=grpc.stream_stream_rpc_method_handler(
                    stream,
                    pb.RateLimitQuotaUsageReports.FromString,
                    pb.RateLimitQuotaResponse.SerializeToString,
                ),
            ),
        )

    async def _admit(self, context: Any) -> None:
        """Refuse callers without the right; a verified client certificate is as good as a token."""
        if self._desk.grpc.client_ca:
            return
        token = dict(context.invocation_metadata()).get("authorization")
        if not self._desk.may_ask(token):
            await context.abort(
                grpc.StatusCode.UNAUTHENTICATED,
                "A token of the role gateway is needed: set authorization in initial_metadata.",
            )

    def _append(self, events: Any) -> object:
        worker = self._desk.worker
        return worker.events.append(events, worker.resolve)


def _service(name: str, **methods: Any) -> Any:
    return grpc.method_handlers_generic_handler(name, methods)


def _credentials(settings: GrpcSettings) -> Any:
    pair = (_pem(settings.private_key), _pem(settings.certificate))
    authority = _pem(settings.client_ca) if settings.client_ca else None
    return grpc.ssl_server_credentials([pair], authority, bool(authority))


def _pem(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise InvalidInput(
            f"{path} cannot be read: {error.strerror}.",
            "Check grpc.certificate, grpc.private_key and grpc.client_ca.",
            field="grpc.certificate",
        ) from error
