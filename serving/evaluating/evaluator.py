"""A worker's evaluator: the mapped table, the bundle it was written for, and batches of requests.

Requests that arrive together are scored together, in one call of each graph: a score does not
depend on its neighbours (docs/adr/0005), and sixteen rows cost little more than one. What waits is
bounded; beyond that a request is refused at once rather than late.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from features.catalogue import feature_hash
from flyball.economics import Economics
from flyball.errors import BundleError, FlyballError
from flyball.home import Home
from flyball.outlook import Outlook
from flyball.policies.registry import policy_named
from flyball.policy import Policy
from models.bundle import open_bundle
from models.outlook import outlooks_of
from models.scorer import Scorer
from serving.evaluating.evaluation import evaluate, is_live_spike, with_context
from serving.evaluating.feature_table import FeatureRow, FeatureTable, stamp_of
from serving.evaluating.layout import FILE_NAME
from serving.evaluating.live_context import LiveContext
from serving.evaluating.verdict import Busy, Evaluated
from serving.snapshot.answer import Answer

#: Requests that may wait for their turn in one worker.
MOST_WAITING = 256
#: How often a worker looks whether there is another table.
_LOOK_SECONDS = 0.1
#: After a refusal (a bundle still being written), this long until the next try.
_RETRY_SECONDS = 1.0


@dataclass(slots=True)
class _Waiting:
    answer: Answer
    context: LiveContext
    done: asyncio.Future[Evaluated]


@dataclass(frozen=True, slots=True)
class _Ready:
    """One table with everything that its header names, opened."""

    table: FeatureTable
    policy: Policy
    economics: Economics | None
    scorer: Scorer | None
    position: dict[str, int]
    columns: np.ndarray[tuple[int], np.dtype[np.int64]]
    mean_at: int
    peak_at: int


class Evaluator:
    """Scores on demand for one worker; everything happens on the event loop's thread.

    Parameters
    ----------
    home, key:
        Where the table and the bundles lie, and whom bundles must be signed by.
    monotonic:
        Seconds of a clock that only goes forward.
    """

    def __init__(
        self,
        home: Home,
        key: Ed25519PublicKey,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path: Path = home.snapshot / FILE_NAME
        self._bundles = home.bundles
        self._key = key
        self._monotonic = monotonic
        self._ready: _Ready | None = None
        self._looked = float("-inf")
        self._queue: list[_Waiting] = []
        self._log = structlog.get_logger("serving.evaluating")
        self._refused = ""

    @property
    def available(self) -> bool:
        """Whether there is a table to evaluate from."""
        return self._look() is not None

    def submit(self, answer: Answer, context: LiveContext) -> asyncio.Future[Evaluated]:
        """Queue one evaluation; it is computed when the loop comes round.

        Raises
        ------
        Busy
            Too many wait already.
        """
        loop = asyncio.get_running_loop()
        if len(self._queue) >= MOST_WAITING:
            raise Busy("Too many evaluations wait.", "Try again in a moment.")
        if not self._queue:
            loop.call_soon(self._flush)
        waiting = _Waiting(answer, context, loop.create_future())
        self._queue.append(waiting)
        return waiting.done

    def _flush(self) -> None:
        queue, self._queue = self._queue, []
        try:
            found = self.evaluate([(item.answer, item.context) for item in queue])
        except Exception as error:
            # Whatever it is belongs to the requests, not to the loop.
            for item in queue:
                if not item.done.done():
                    item.done.set_exception(error)
            return
        for item, evaluated in zip(queue, found, strict=True):
            if not item.done.done():
                item.done.set_result(evaluated)

    def evaluate(self, asked: list[tuple[Answer, LiveContext]]) -> list[Evaluated]:
        """Evaluate several tenants in one call of the graphs, in their order."""
        ready = self._look()
        if ready is None:
            return [Evaluated(evaluation=None)] * len(asked)
        rows = [ready.table.row(answer.tenant_id) for answer, _ in asked]
        spikes = [
            row is not None
            and is_live_spike(
                ready.table.header,
                float(row.features[ready.mean_at]),
                float(row.features[ready.peak_at]),
                context,
                answer.base_limit,
            )
            for row, (answer, context) in zip(rows, asked, strict=True)
        ]
        known = [
            (row, answer, context)
            for row, (answer, context) in zip(rows, asked, strict=True)
            if row is not None
        ]
        outlooks = iter(self._outlooks(ready, known))
        return [
            Evaluated(evaluation=None)
            if row is None
            else self._evaluated(ready, row, next(outlooks), answer, spike)
            for row, spike, (answer, _) in zip(rows, spikes, asked, strict=True)
        ]

    def _outlooks(
        self, ready: _Ready, known: list[tuple[FeatureRow, Answer, LiveContext]]
    ) -> list[Outlook]:
        if ready.scorer is None or not known:
            return [
                Outlook(hazards=None, effects={}, demand_per_period=row.demand_per_period)
                for row, _, _ in known
            ]
        x = np.stack(
            [
                with_context(row.features, ready.position, context, answer.base_limit)
                for row, answer, context in known
            ]
        )[:, ready.columns]
        dose = np.stack([row.dose for row, _, _ in known])
        segment = np.array([row.model_segment for row, _, _ in known], dtype=np.int64)
        scores = ready.scorer.score(np.ascontiguousarray(x), segment, dose)
        demand = [row.demand_per_period for row, _, _ in known]
        return outlooks_of(scores, ready.table.header.dose_arms, dose, demand)

    def _evaluated(
        self, ready: _Ready, row: FeatureRow, outlook: Outlook, answer: Answer, spike: bool
    ) -> Evaluated:
        header = ready.table.header
        evaluation = evaluate(
            header,
            ready.policy,
            ready.economics,
            row,
            outlook,
            arm_in_force=answer.arm,
            spike=spike,
        )
        return Evaluated(
            evaluation=evaluation,
            as_of_us=row.as_of_us,
            model_version=header.model_version,
            policy=header.policy,
        )

    def _look(self) -> _Ready | None:
        """The table of now; another one is opened where there is one."""
        now = self._monotonic()
        if now - self._looked < _LOOK_SECONDS:
            return self._ready
        self._looked = now
        stamp = stamp_of(self._path)
        ready = self._ready
        if stamp is None:
            return ready
        if ready is not None and ready.table.stamp == stamp:
            ready.table.grow()
            return ready
        try:
            opened = self._open()
        except (FlyballError, OSError) as error:
            # What was used before stays in use: the bundle may still be on its way.
            self._looked = now + _RETRY_SECONDS
            if str(error) != self._refused:
                self._refused = str(error)
                self._log.error("feature_table_refused", error=str(error))
            return ready
        self._refused = ""
        if ready is not None:
            ready.table.close()
        self._ready = opened
        self._log.info(
            "feature_table_opened",
            tenants=len(opened.table),
            bundle=opened.table.header.model_version,
        )
        return opened

    def _open(self) -> _Ready:
        table = FeatureTable(self._path)
        try:
            return self._prepared(table)
        except BaseException:
            # Also of a surprise: it is opened again and again until it can be used.
            table.close()
            raise

    def _prepared(self, table: FeatureTable) -> _Ready:
        header = table.header
        policy = policy_named(header.policy, **header.policy_params)
        if policy.version != header.policy_version:
            raise BundleError(
                f"The feature table was written for {header.policy} {header.policy_version}, "
                f"which is {policy.version} here.",
                "Run the same version of Flyball in all processes.",
            )
        position = {name: at for at, name in enumerate(header.features)}
        scorer = self._scorer(header.model_version)
        names = () if scorer is None else scorer.manifest.features
        economics = header.economics
        return _Ready(
            table=table,
            policy=policy,
            economics=None if economics is None else Economics(**economics),  # type: ignore[arg-type]
            scorer=scorer,
            position=position,
            columns=np.array([position[name] for name in names], dtype=np.int64),
            mean_at=position["share_mean_7d"],
            peak_at=position["share_peak_28d"],
        )

    def _scorer(self, version: str) -> Scorer | None:
        if not version:
            return None
        held = self._ready
        if held is not None and held.scorer is not None and held.scorer.manifest.version == version:
            return held.scorer
        # The publisher and the control loop have tried it in a child process already.
        bundle = open_bundle(
            self._bundles / version, self._key, feature_hash=feature_hash(), probe=False
        )
        return Scorer(bundle)
