"""One serving worker: its snapshot, its tokens, and its way to the stores, in one place.

The data path (lookup, batch, snapshot) touches nothing but the memory-mapped snapshot and the token
file. The stores are opened when the first request needs one, and their absence costs only the
routes that need them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from flyball.decision import Source
from flyball.errors import StorageError
from flyball.home import Home
from flyball.meter import Meter
from ledger.explanations import Explained, Explanations
from ledger.people import ExperimentRun
from ledger.sqlite_ledger import SqliteLedger
from serving.metrics import WorkerMetrics
from serving.rest.bearer import Principal, TokenBook
from serving.snapshot.reader import SnapshotReader
from serving.stream_slots import Slots
from serving.tally import Tally, VerdictTally
from telemetry.sqlite_store import SqliteEventStore
from telemetry.store import KnownTenant

if TYPE_CHECKING:
    from serving.evaluating.evaluator import Evaluator

#: How often a worker looks for a newer snapshot and for changed tokens.
REFRESH_SECONDS = 0.1

#: How often it writes its metrics, which takes as long as everything else that it looks after.
MEASURE_SECONDS = 1.0

#: How many followers one worker streams the snapshot to.
STREAMS = 64

#: How long a worker may answer from its memory which tenant a name means.
RESOLVE_SECONDS = 5.0


def wall_clock_us() -> int:
    """Microseconds since the epoch by the machine's clock."""
    return time.time_ns() // 1_000


class Worker:
    """State shared by the fast path and the API of one process.

    Parameters
    ----------
    home:
        The home directory's layout.
    key:
        Public key that the snapshot must be signed with.
    now_us:
        The clock; tests give their own.
    event_clock:
        Where decisions follow events: the latest event's time. What comes in is then known from
        its own time on, as in an import of history.
    shared_metrics:
        Whether ``/metrics`` answers for all workers of the service.
    mirrors:
        The service whose decisions this one mirrors; None where it is its own.
    """

    def __init__(
        self,
        home: Home,
        key: Ed25519PublicKey,
        *,
        now_us: Callable[[], int] = wall_clock_us,
        event_clock: Callable[[], int] | None = None,
        shared_metrics: bool = False,
        mirrors: str | None = None,
    ) -> None:
        self.mirrors = mirrors
        self.home = home
        self.now_us = now_us
        self._event_clock = event_clock
        self._key = key
        self.reader = SnapshotReader(home.snapshot, key, kill=home.kill)
        self._answer, self._known_to_reader = self.reader.answer, self.reader.known
        self.tokens = TokenBook(home.tokens)
        self.tally = Tally()
        self.metrics = WorkerMetrics(shared=shared_metrics)
        #: What gateways that asked about a request were told.
        self.verdicts = VerdictTally(self.metrics.authorized)
        self.streams = Slots(STREAMS)
        #: Whether the server is about to stop; the process says how to tell.
        self.is_leaving: Callable[[], bool] = self._left
        self._measuring = threading.Lock()
        self._counted = 0  # of the tally, in the metrics already
        self._known: dict[str, tuple[float, KnownTenant | None]] = {}
        self._stopping = threading.Event()
        self._log = structlog.get_logger("serving.worker")
        self._refused = ""
        self._meters: dict[str, Meter] | None = None
        self._meters_read = 0.0

    # --- the data path

    @property
    def epoch(self) -> int:
        """Changes whenever a token verdict given before could differ now."""
        return self.tokens.epoch

    def answer(self, name: str | bytes) -> bytes:
        """The decision's JSON for a tenant id or alias; every name gets an answer."""
        return self._answer(name, self.now_us())

    def known(self, name: bytes) -> bytes | None:
        """The same for a tenant's id or alias only; None where the name is neither."""
        return self._known_to_reader(name, self.now_us())

    def mark(self) -> int:
        """See :meth:`SnapshotReader.mark`, at this moment."""
        return self.reader.mark(self.now_us())

    def may_look_up(self, authorization: bytes | None, host: bytes | None) -> bool:
        """Whether a request with these headers may read decisions."""
        who = self.tokens.principal(authorization, host)
        return who is not None and who.may(("gateway", "cs", "data-science"))

    def principal(self, authorization: bytes | None, host: bytes | None) -> Principal | None:
        """Who asks; None for a stranger."""
        return self.tokens.principal(authorization, host)

    # --- what time it is for what comes in

    @property
    def follows_events(self) -> bool:
        """Whether decisions are made at the time of the latest event, not of the wall clock."""
        return self._event_clock is not None

    def known_us(self) -> int:
        """When records that come in now count as known."""
        return self.now_us() if self._event_clock is None else self._event_clock()

    # --- the stores, opened on first use

    @cached_property
    def ledger(self) -> SqliteLedger:
        """The ledger; raises StorageError where it cannot be opened."""
        return SqliteLedger(self.home.ledger)

    @cached_property
    def events(self) -> SqliteEventStore:
        """The event log; raises StorageError where it cannot be opened."""
        return SqliteEventStore(self.home.events)

    @cached_property
    def evaluator(self) -> Evaluator:
        """Scores on demand; loads onnxruntime, which lookups do without."""
        from serving.evaluating.evaluator import Evaluator

        return Evaluator(self.home, self._key)

    @property
    def warm(self) -> bool:
        """Whether the event log is open and its meters are known, so that parsing does no I/O."""
        return "events" in self.__dict__ and self._meters is not None

    def meters(self) -> dict[str, Meter]:
        """Declared and standard meters; re-read every few seconds by :meth:`refresh`."""
        held = self._meters
        if held is None:
            held = self._meters = self.events.meters()
        return held

    def ledger_experiments(self) -> list[ExperimentRun]:
        """Every experiment ever started."""
        return self.ledger.experiments()

    def log_kill(self, *, engaged: bool, author: str, reason: str, now_us: int) -> None:
        """Log a move of the kill switch, if the ledger can be written; the move stands anyway."""
        try:
            self.ledger.record_kill(engaged=engaged, author=author, reason=reason, now_us=now_us)
        except StorageError as error:
            self._log.error("kill_switch_not_logged", error=str(error), engaged=engaged)

    def explanation(self, tenant_id: str) -> Explained | None:
        """The numbers behind a tenant's decision; None where there are none (yet)."""
        if not self.home.explanations.exists():
            return None
        with Explanations(self.home.explanations, read_only=True) as file:
            return file.of(tenant_id)

    def resolve(self, name: str) -> KnownTenant | None:
        """The tenant that a name stands for, remembered for a few seconds."""
        now = time.monotonic()
        held = self._known.get(name)
        if held is not None and held[1] is not None and now - held[0] < RESOLVE_SECONDS:
            return held[1]
        tenant_id = self.ledger.resolve(name)
        known = None
        if tenant_id is not None:
            created = self.ledger.account(tenant_id, self.now_us()).created_us
            known = KnownTenant(tenant_id, created)
        if len(self._known) > 200_000:
            self._known.clear()
        self._known[name] = (now, known)
        return known

    def forget(self, name: str) -> None:
        """Ask the ledger again for ``name`` (its account has just changed)."""
        self._known.pop(name, None)

    # --- upkeep

    def refresh(self) -> None:
        """Take over a newer snapshot and changed tokens, and hand counts to the metrics."""
        self.follow()
        self.measure()

    def follow(self) -> None:
        """Take over a newer snapshot and changed tokens."""
        now_us = self.now_us()
        if self.reader.refresh():
            self._log.info(
                "snapshot_taken", version=str(self.reader.version), tenants=self.reader.tenants
            )
        error = self.reader.error
        text = str(error) if error else ""
        if text and text != self._refused:
            self._log.error("snapshot_refused", error=text)
        self._refused = text
        self.tokens.refresh(now_us)
        if self.warm and time.monotonic() - self._meters_read > RESOLVE_SECONDS:
            self._meters_read = time.monotonic()
            self._meters = self.events.meters()

    def measure(self) -> None:
        """Write the metrics; what was counted since the last time goes in with it."""
        now_us = self.now_us()
        rung = self.reader.rung(now_us)
        with self._measuring:
            # The event loop's thread adds to the tally meanwhile; here it is only read.
            lookups = self.tally.lookups
            counted, self._counted = lookups - self._counted, lookups
        if counted:
            self.metrics.lookups.labels(rung.value).inc(counted)
        self.verdicts.report()
        self.metrics.snapshot_refused.set(1 if self._refused else 0)
        self.metrics.killed.set(1 if self.home.kill.exists() else 0)
        created = self.reader.created_us
        if created is not None:
            self.metrics.snapshot_age.set(max(0, now_us - created) / 1e6)
            self.metrics.snapshot_tenants.set(self.reader.tenants)
        if self.reader.version is not None:
            self.metrics.snapshot_epoch.set(self.reader.version.epoch)

    def keep_fresh(self) -> threading.Thread:
        """Start the thread that follows and measures until :meth:`close`.

        It shares the interpreter with the answers: what it does makes one of them wait.
        """

        def run() -> None:
            measured = time.monotonic()
            while not self._stopping.wait(REFRESH_SECONDS):
                try:
                    self.follow()
                    if time.monotonic() - measured >= MEASURE_SECONDS:
                        self.measure()
                        measured = time.monotonic()
                except Exception:
                    # The thread must outlive any surprise: without it answers only age.
                    self._log.exception("refresh_failed")

        thread = threading.Thread(target=run, name="refresh", daemon=True)
        thread.start()
        return thread

    def _left(self) -> bool:
        return self._stopping.is_set()

    def rung(self) -> Source:
        """The rung of the ladder that answers come from now."""
        return self.reader.rung(self.now_us())

    def close(self) -> None:
        """Stop upkeep and let go of stores that were opened; commits under way finish."""
        self._stopping.set()
        for name in ("events", "ledger"):
            if name in self.__dict__:
                self.__dict__[name].close()
