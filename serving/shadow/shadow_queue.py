"""Decisions waiting to be shadowed: gateways come first, comparisons can wait a few ticks."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from flyball.decision import Decision
from flyball.policy import Policy
from ledger.store import ShadowStore
from models.scorer import Scorer
from serving.deciding import Pass
from serving.shadow.sayings import shadowed

#: Passes that may wait; the oldest is dropped.
MOST_PASSES = 16
#: Tenants shadowed in one tick that had others to decide, and in one that had not.
BUSY, QUIET = 100, 2_000


class _Waiting(NamedTuple):
    done: Pass
    decisions: Sequence[Decision]
    rows: list[int]


class ShadowQueue:
    """What the loop has decided and the challenger has not yet been asked about.

    Each decision is asked about once a pair of models: re-scoring within its period is not another
    decision. A process that starts again asks again, and the ledger keeps the first.
    """

    def __init__(self, ledger: ShadowStore, policy: Policy) -> None:
        self._ledger = ledger
        self._policy = policy
        self._waiting: deque[_Waiting] = deque(maxlen=MOST_PASSES)
        self._pair = ("", "")
        self._period_us = 0
        self._asked: set[str] = set()

    def add(self, done: Pass, decisions: Sequence[Decision], challenger: Scorer | None) -> None:
        """Ask about these when there is time; nothing is computed yet."""
        if challenger is None:
            self._waiting.clear()
            return
        pair = (done.round.model_version, challenger.manifest.version)
        if (pair, done.round.period_start_us) != (self._pair, self._period_us):
            self._pair, self._period_us = pair, done.round.period_start_us
            self._asked.clear()
            self._waiting.clear()
        rows = [row for row, each in enumerate(decisions) if each.decision_id not in self._asked]
        self._asked.update(decisions[row].decision_id for row in rows)
        if rows:
            self._waiting.append(_Waiting(done, decisions, rows))

    def work(
        self, *, champion: Scorer | None, challenger: Scorer | None, quiet: bool, at_us: int
    ) -> int:
        """Ask about some; how many. Raises StorageError where it cannot be kept."""
        if challenger is None or challenger.manifest.version != self._pair[1]:
            self._waiting.clear()
        if challenger is None or not self._waiting:
            return 0
        first = self._waiting[0]
        most = QUIET if quiet else BUSY
        rows = first.rows[:most]
        found, run = shadowed(
            first.done,
            first.decisions,
            rows,
            champion=champion,
            challenger=challenger,
            policy=self._policy,
            at_us=at_us,
        )
        self._ledger.append_shadow(found, run)
        del first.rows[:most]
        if not first.rows:
            self._waiting.popleft()
        return len(rows)
