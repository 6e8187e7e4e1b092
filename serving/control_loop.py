"""The control loop: watches what decisions depend on, decides anew what changed, publishes.

It is the only writer of the snapshot. Whatever fails, what was published before stays served; what
cannot be verified any more is not called fresh: a tick that fails sends no sign of life, and after
a quarter of an hour workers no longer tighten.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from types import TracebackType

import structlog

from flyball.budget import Budgets
from flyball.decision import Decision, Mode
from flyball.errors import FlyballError, StorageError
from flyball.home import Home
from flyball.instant import DAY_US, MINUTE_US, SECOND_US, hour_of, period_start
from flyball.policies.registry import policy_named
from ledger.changes import Cursor
from ledger.explanations import Evidence, Explanations
from ledger.sqlite_leases import SqliteLeases
from ledger.sqlite_ledger import SqliteLedger
from models.signature import create_keypair, load_private_key
from serving.champion import Champion
from serving.clock import Clock, wall_us
from serving.deciding import Pass, decide_with, log_pass
from serving.decision_news import DecisionNews
from serving.evaluating.layout import FILE_NAME
from serving.evaluating.publication import FeaturePublication
from serving.evidence import evidence_by_model
from serving.explanation_queue import ExplanationQueue
from serving.housekeeping import Housekeeper
from serving.live_usage import LiveUsage, as_of_hour_at
from serving.publication import entries_of, primary_floors
from serving.publisher_lease import PublisherLease
from serving.refresh_order import RefreshOrder
from serving.rules import Rules, read_rules, seed_guardrails
from serving.settings import Settings
from serving.shadow.challenger import Challenger
from serving.shadow.shadow_queue import ShadowQueue
from serving.snapshot.entry import Entry
from serving.snapshot.version import Version
from serving.snapshot.writer import SnapshotWriter

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 10.0
#: How often tenants are looked at whose features only time has changed.
_SLICE_US = 5 * SECOND_US


class ControlLoop:
    """Decides continuously for one home.

    Parameters
    ----------
    home, settings:
        The home and its ``flyball.toml``.
    clock:
        What "now" is for decisions.

    Use as a context manager; :meth:`run` in a process of its own, or :meth:`tick` step by step.
    """

    def __init__(self, home: Home, settings: Settings, clock: Clock) -> None:
        self._home = home
        self._settings = settings
        self._clock = clock
        self._log = structlog.get_logger("serving.control_loop")
        if not home.signing_key.exists():
            create_keypair(home.signing_key, home.verify_key)
        self._ledger = SqliteLedger(home.ledger)
        self._lease = PublisherLease(
            SqliteLeases(self._ledger.file),
            home.snapshot,
            seconds=settings.decisions.lease_seconds,
        )
        self._publishing = True
        self._writer = SnapshotWriter(
            home.snapshot, load_private_key(home.signing_key), self._lease
        )
        self._news = DecisionNews(self._ledger, settings.webhooks)
        self._features = FeaturePublication(home.snapshot / FILE_NAME)
        self._usage = LiveUsage(home, self._ledger)
        self._cursor: Cursor | None = None
        self._champion = Champion(home, settings)
        self._killed = False
        self._period_us = -1
        self._budgets: Budgets | None = None
        self._rules: Rules | None = None
        self._aliases: dict[str, str] = {}
        self._order = RefreshOrder()
        self._published_us = 0
        self._sliced_us = 0
        self._housekeeper = Housekeeper(home)
        self._kept = Explanations(home.explanations)
        self._explanations = ExplanationQueue(self._kept)
        self._challenger = Challenger(home, settings, self._ledger)
        configured = policy_named(settings.policy.name, **settings.policy.params)
        self._shadow = ShadowQueue(self._ledger, configured)

    def __enter__(self) -> ControlLoop:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the stores; a sealing under way is finished first."""
        self._housekeeper.close()
        self._lease.close()
        self._usage.close()
        self._ledger.close()
        self._explanations.close()
        self._features.close()

    def run(self, stopping: threading.Event) -> None:
        """Tick until ``stopping`` is set; a failing tick is logged and tried again later."""
        pause = _FIRST_PAUSE_S
        while not stopping.is_set():
            try:
                self.tick()
                pause = _FIRST_PAUSE_S
                # Rest after each tick, however long it took: the workers need the cores too.
                wait = self._settings.decisions.tick_ms / 1_000
            # Whatever it is, workers must go on getting decisions from the next tick.
            except Exception as error:
                self._report(error, pause)
                wait, pause = pause, min(pause * 2, _LONGEST_PAUSE_S)
            stopping.wait(wait)

    def _report(self, error: Exception, pause: float) -> None:
        # Memory may be ahead of what was published: only a full pass makes them equal for sure.
        self._period_us = -1
        self._log.error(
            "tick_failed",
            error=str(error) if isinstance(error, FlyballError) else repr(error),
            retry_in_seconds=pause,
            exc_info=None if isinstance(error, FlyballError) else error,
        )

    def tick(self) -> int:
        """Look once; the number of tenants decided or refreshed.

        While another process holds the publisher's lease, this one stands by and does nothing.

        Raises
        ------
        StorageError
            A store cannot be read or written; nothing was published.
        """
        if not self._may_publish():
            return 0
        # Before "now": what it tells of was written by then, so that deciding takes it in.
        changes = self._ledger.changes_since(self._cursor)
        now_us = self._clock.now_us()
        everyone = self._everyone(now_us)
        if everyone or self._usage.day != now_us // DAY_US:
            return self._decide_everyone(reason=everyone or "new_day")
        if changes.everyone:
            return self._decide_everyone(reason="rules_changed")
        news = self._usage.follow()
        if news.reload:
            return self._decide_everyone(reason="history_changed")
        tenants = (news.tenants | changes.tenants) | self._slice(now_us)
        if tenants:
            self._decide_some(now_us, tenants, renamed=changes.tenants)
        elif wall_us() - self._published_us >= self._settings.decisions.heartbeat_seconds * 10**6:
            self._publish_changes((), {}, now_us)
        self._cursor = changes.cursor
        self._explain(quiet=not tenants)
        self._compare(quiet=not tenants)
        self._housekeeper.look(wall_us())
        return len(tenants)

    def _may_publish(self) -> bool:
        held = self._lease.hold()
        if held is not self._publishing:
            self._publishing = held
            # The other has decided meanwhile: what is in memory here is out of date.
            self._period_us = -1
            self._log.info("publishing" if held else "standing_by")
        return held

    def _everyone(self, now_us: int) -> str:
        """Why every tenant must be decided anew; empty where there is no reason."""
        moved = self._challenger.follow()
        killed = self._home.kill.exists()
        if killed != self._killed:
            self._killed = killed
            return "kill_switch"
        if self._champion.follow():
            return "new_bundle"
        if moved:
            return "challenger_changed"
        started_us = period_start(now_us, self._settings.decisions.period_days)
        if started_us != self._period_us:
            return "new_period" if self._period_us >= 0 else "start"
        return ""

    def _slice(self, now_us: int) -> frozenset[str]:
        """Tenants whose turn it is, because time alone has changed their features."""
        if now_us - self._sliced_us < _SLICE_US:
            return frozenset()
        self._sliced_us = now_us
        return self._order.due(now_us, self._settings.decisions.full_pass_minutes * MINUTE_US)

    def _decide_everyone(self, *, reason: str) -> int:
        began = time.perf_counter()
        seed_guardrails(self._ledger, self._settings, wall_us())
        cursor = self._ledger.changes_since(None).cursor
        now_us = self._clock.now_us()
        self._usage.load(now_us)
        started_us = period_start(now_us, self._settings.decisions.period_days)
        starts = self._period_us != started_us and hour_of(now_us) == hour_of(started_us)
        self._rules = read_rules(
            self._ledger, self._settings, as_of_us=now_us, bundle=self._champion.bundle
        )
        done = self._pass(now_us, None, budgets=None, starts_period=starts, began=began)
        self._lease.epoch()  # a pass may take long: log nothing for a lease that was lost
        decisions = log_pass(self._ledger, done, finished_us=wall_us())
        self._aliases = self._ledger.aliases()
        version = self._writer.publish_all(
            entries_of(decisions, done.facts, done.stored),
            aliases=self._aliases,
            created_us=wall_us(),
            as_of_us=now_us,
        )
        self._published_us = wall_us()
        floors = self._tell(done, decisions, version)
        self._budgets, self._period_us, self._cursor = done.budgets, started_us, cursor
        self._order.reset((d.tenant_id for d in decisions), now_us)
        self._explanations.restart(self._evidence(done, decisions))
        self._shadow.add(done, decisions, self._challenger.scorer)
        self._publish_features(done, decisions, floors, everyone=True)
        self._log.info(
            "decided",
            reason=reason,
            tenants=len(decisions),
            policy=done.round.policy.name,
            bundle=done.round.model_version,
            version=str(version),
            milliseconds=round(done.duration_ms),
        )
        return len(decisions)

    def _decide_some(
        self, now_us: int, tenants: frozenset[str], *, renamed: frozenset[str]
    ) -> None:
        done = self._pass(now_us, tenants, budgets=self._budgets, starts_period=False)
        decisions = log_pass(self._ledger, done, finished_us=wall_us(), run=False)
        gone = tenants & self._order.known() - done.facts.accounts.keys()
        if gone:
            # A tenant that has left: only a base can leave it out.
            self._period_us = -1
            self._order.forget(gone)
        aliases = self._renamed(renamed & done.facts.accounts.keys()) if renamed else {}
        entries = list(entries_of(decisions, done.facts, done.stored))
        version = self._publish_changes(entries, aliases, now_us)
        floors = self._tell(done, decisions, version)
        self._order.note((d.tenant_id for d in decisions), now_us)
        self._explanations.add(self._evidence(done, decisions))
        self._shadow.add(done, decisions, self._challenger.scorer)
        self._publish_features(done, decisions, floors, everyone=False)

    def _tell(
        self, done: Pass, decisions: Sequence[Decision], version: Version
    ) -> Mapping[str, int]:
        """What this publication changed, to whoever wants to be told; what holds limits up."""
        floors = primary_floors(decisions, done.facts, done.stored)
        self._news.tell(decisions, done.previous, version, now_us=self._published_us, floors=floors)
        try:
            self._kept.put_floors(floors, [decision.tenant_id for decision in decisions])
        except StorageError as error:
            self._log.error("floors_not_kept", error=str(error))
        return floors

    def _publish_features(
        self,
        done: Pass,
        decisions: Sequence[Decision],
        floors: Mapping[str, int],
        *,
        everyone: bool,
    ) -> None:
        """What workers score from on demand; decisions do not depend on it."""
        bundle = self._champion.bundle
        manifest = None if bundle is None else bundle.manifest
        what = (done.round, done.table, done.cases, decisions, manifest, floors)
        try:
            if everyone:
                self._features.publish_all(*what, created_us=wall_us())
            else:
                self._features.publish_changes(*what)
        except OSError as error:
            self._log.error("features_not_published", error=str(error))

    def _pass(
        self,
        now_us: int,
        tenants: Collection[str] | None,
        *,
        budgets: Budgets | None,
        starts_period: bool,
        began: float | None = None,
    ) -> Pass:
        assert self._rules is not None  # a full pass comes first
        this = self._rules.round(
            as_of_us=now_us, mode=Mode.LIVE, bundle=self._champion.bundle, killed=self._killed
        )
        newest = self._usage.newest_arrival_us
        return decide_with(
            self._usage.connection_for(tenants),
            self._ledger,
            self._rules,
            this,
            as_of_hour=as_of_hour_at(now_us, starts_period=starts_period),
            scorer=self._champion.scorer,
            tenants=tenants,
            budgets=budgets,
            features_us=None if newest is None else min(newest, now_us),
            canary=self._challenger.canary(),
            began=began,
        )

    def _evidence(
        self, done: Pass, decisions: Sequence[Decision]
    ) -> Iterator[tuple[str, Evidence]]:
        return evidence_by_model(
            done.table,
            decisions,
            done.outlooks,
            (self._champion.scorer, self._challenger.scorer),
            as_of_us=done.round.as_of_us,
        )

    def _explain(self, *, quiet: bool) -> None:
        """Keep some of the evidence, after publishing."""
        try:
            self._explanations.work(quiet=quiet)
        except StorageError as error:
            self._log.error("not_explained", error=str(error))

    def _compare(self, *, quiet: bool) -> None:
        """Ask the challenger about some of what was decided, after publishing."""
        try:
            self._shadow.work(
                champion=self._champion.scorer,
                challenger=self._challenger.scorer,
                quiet=quiet,
                at_us=wall_us(),
            )
        # Whatever the challenger does, decisions must go on.
        except Exception as error:
            known = isinstance(error, FlyballError)
            self._log.error("not_shadowed", error=repr(error), exc_info=not known)

    def _renamed(self, tenants: Collection[str]) -> dict[str, str | None]:
        """What changed about the aliases of ``tenants``."""
        now = self._ledger.aliases(tenants)
        before = {alias for alias, tenant in self._aliases.items() if tenant in tenants}
        moved: dict[str, str | None] = {
            alias: tenant for alias, tenant in now.items() if self._aliases.get(alias) != tenant
        }
        for alias in before - now.keys():
            del self._aliases[alias]
            moved[alias] = None
        self._aliases.update(now)
        return moved

    def _publish_changes(
        self, entries: Collection[Entry], aliases: dict[str, str | None], now_us: int
    ) -> Version:
        version = self._writer.publish_changes(
            entries, aliases=aliases, created_us=wall_us(), as_of_us=now_us
        )
        self._published_us = wall_us()
        return version
