"""Evidence waiting to be kept for people: gateways come first, people can wait a few ticks."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import islice

from ledger.explanations import Evidence, Explanations

#: Passes that may wait; the oldest is dropped, and its tenants are explained at their next turn.
MOST_PASSES = 32

#: Tenants explained in one tick that had others to decide, and in one that had not.
BUSY, QUIET = 150, 2_000


class ExplanationQueue:
    """What the loop has decided and not yet explained, newest pass first."""

    def __init__(self, kept: Explanations) -> None:
        self._kept = kept
        self._waiting: deque[Iterator[tuple[str, Evidence]]] = deque(maxlen=MOST_PASSES)

    def add(self, evidence: Iterator[tuple[str, Evidence]]) -> None:
        """Explain these when there is time; nothing is computed yet."""
        self._waiting.append(evidence)

    def restart(self, evidence: Iterator[tuple[str, Evidence]]) -> None:
        """Explain these instead of everything that waits: they are about everybody."""
        self._waiting.clear()
        self.add(evidence)

    def work(self, *, quiet: bool) -> None:
        """Explain some; raises StorageError where they cannot be kept."""
        left = QUIET if quiet else BUSY
        while left > 0 and self._waiting:
            some = list(islice(self._waiting[-1], left))
            if len(some) < left:
                self._waiting.pop()
            self._kept.put(some)
            left -= len(some)

    def close(self) -> None:
        """Let go of the store; what waits is forgotten."""
        self._waiting.clear()
        self._kept.close()
