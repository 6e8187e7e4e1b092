"""What all three protocols share in one process: decisions, counters, settings, metrics."""

from __future__ import annotations

from functools import cached_property

import structlog

from flyball.errors import FlyballError
from flyball.meter import STANDARD_METERS, Meter
from serving.envoy.grpc_settings import GrpcSettings
from serving.forward_auth.authorize_settings import AuthorizeSettings
from serving.shared_counters import SharedCounters
from serving.terms_book import TermsBook
from serving.worker import Worker

#: Tokens remembered; a gateway has one.
_MOST_ADMITTED = 256


class Desk:
    """The state of one gRPC process; everything happens on its event loop."""

    def __init__(self, worker: Worker, grpc: GrpcSettings, authorize: AuthorizeSettings) -> None:
        self.worker = worker
        self.grpc = grpc
        self.authorize = authorize
        self.book = TermsBook(worker.answer, lambda: worker.reader.created_us, worker.mark)
        self._log = structlog.get_logger("serving.envoy")
        self._reported = ""
        # Tokens by the epoch in which they were let in: hashing one costs as much as deciding.
        self._admitted: dict[str | None, int] = {}

    @cached_property
    def counters(self) -> SharedCounters:
        """Counters of the whole home; raises StorageError where they cannot be kept."""
        return SharedCounters(self.worker.home.counters)

    @property
    def meters(self) -> dict[str, Meter]:
        """Declared and standard meters; the standard ones while the event log cannot be read."""
        try:
            return self.worker.meters()
        except FlyballError as error:
            self._complain("meters_not_read", error)
            return dict(STANDARD_METERS)

    def now_us(self) -> int:
        """Microseconds since the epoch."""
        return self.worker.now_us()

    def may_ask(self, authorization: str | None) -> bool:
        """Whether a caller with this token may use the protocols."""
        epoch = self.worker.epoch
        if self._admitted.get(authorization) == epoch:
            return True
        raw = None if authorization is None else authorization.encode("latin-1", "replace")
        # Without tokens only the loopback interface or a Unix socket is served, and no browser
        # speaks gRPC: there is no Host to check.
        who = self.worker.principal(raw, None)
        admitted = who is not None and who.may(("gateway",))
        if admitted:
            if len(self._admitted) >= _MOST_ADMITTED:
                self._admitted.clear()
            self._admitted[authorization] = epoch
        return admitted

    def count(self, verdict: str) -> None:
        """Count one answer for the metrics."""
        self.worker.verdicts.count(verdict)

    def report(self, event: str, error: Exception) -> None:
        """Log a failure once, however often it repeats, and count that a request passed."""
        self.count("open")
        self._complain(event, error)

    def _complain(self, event: str, error: Exception) -> None:
        if repr(error) == self._reported:
            return
        self._reported = repr(error)
        self._log.error(
            event,
            error=str(error) if isinstance(error, FlyballError) else repr(error),
            exc_info=None if isinstance(error, FlyballError) else error,
        )

    def close(self) -> None:
        """Let go of the counters."""
        if "counters" in self.__dict__:
            self.counters.close()
