"""A worker's evaluator: the queue of requests, and the table that they are evaluated from.

What arrives in one turn of the event loop is evaluated together at its end. What waits is bounded;
beyond that a request is refused at once rather than late.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from flyball.home import Home
from serving.evaluating.layout import FILE_NAME
from serving.evaluating.live_context import LiveContext
from serving.evaluating.verdict import NOTHING, Busy, Evaluated
from serving.snapshot.answer import Answer

if TYPE_CHECKING:
    from serving.evaluating.appraiser import Appraiser

#: Requests that may wait for their turn in one worker.
MOST_WAITING = 256
#: How often a worker looks whether there is another table.
_LOOK_SECONDS = 0.1
#: After a refusal (a bundle still being written), this long until the next try.
_RETRY_SECONDS = 1.0


class Asker(Protocol):
    """Who waits for an evaluation."""

    def evaluated(self, answer: Answer, context: LiveContext, found: Evaluated) -> None:
        """Take what was found for ``answer`` and ``context``; must not raise."""

    def answered(self) -> None:
        """All that were evaluated together have been told; must not raise.

        What each sends wakes its reader up, so they send one after another, not one by one.
        """

    def not_evaluated(self, error: Exception) -> None:
        """Take note that nothing could be found; must not raise."""


class _Awaiting:
    """An asker that is awaited."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.done: asyncio.Future[Evaluated] = loop.create_future()

    def evaluated(self, answer: Answer, context: LiveContext, found: Evaluated) -> None:
        if not self.done.done():
            self.done.set_result(found)

    def answered(self) -> None:
        """Whoever awaits goes on by itself."""

    def not_evaluated(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)


class Evaluator:
    """Scores on demand for one worker.

    Evaluations happen on the event loop's thread. Another table, and the models that it names, are
    opened by a thread of their own: onnxruntime takes a second to load, and lookups go on
    meanwhile. Until the first is open requests wait; later ones are answered from the one before.

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
        self._held: Appraiser | None = None
        self._looked = float("-inf")
        self._opening = False
        self._queue: list[tuple[Asker, Answer, LiveContext]] = []
        self._log = structlog.get_logger("serving.evaluating")
        self._refused = ""

    @property
    def available(self) -> bool:
        """Whether there is a table to evaluate from; opens it if need be."""
        if self._is_other_table():
            self._adopt(self._open())
        return self._held is not None

    def ask(self, asker: Asker, answer: Answer, context: LiveContext) -> None:
        """Queue one evaluation; ``asker`` is told when the loop comes round.

        Raises
        ------
        Busy
            Too many wait already.
        """
        queue = self._queue
        if len(queue) >= MOST_WAITING:
            raise Busy("Too many evaluations wait.", "Try again in a moment.")
        if not queue:
            asyncio.get_running_loop().call_soon(self._flush)
        queue.append((asker, answer, context))

    def submit(self, answer: Answer, context: LiveContext) -> asyncio.Future[Evaluated]:
        """Queue one evaluation; raises as :meth:`ask` does."""
        asker = _Awaiting(asyncio.get_running_loop())
        self.ask(asker, answer, context)
        return asker.done

    def evaluate(self, asked: Sequence[tuple[Answer, LiveContext]]) -> list[Evaluated]:
        """Evaluate several tenants at once, in their order; opens the table if need be."""
        if self._is_other_table():
            self._adopt(self._open())
        return self._appraise(asked)

    def _flush(self) -> None:
        if self._is_other_table() and not self._opening:
            self._opening = True
            threading.Thread(
                target=self._open_aside,
                args=(asyncio.get_running_loop(),),
                name="open-feature-table",
                daemon=True,
            ).start()
        if self._opening and self._held is None:
            return  # they wait; what has been opened calls again
        queue, self._queue = self._queue, []
        try:
            found = self._appraise([(answer, context) for _, answer, context in queue])
        except Exception as error:
            # Whatever it is belongs to the requests, not to the loop.
            for asker, _, _ in queue:
                asker.not_evaluated(error)
            return
        for (asker, answer, context), evaluated in zip(queue, found, strict=True):
            asker.evaluated(answer, context, evaluated)
        for asker, _, _ in queue:
            asker.answered()

    def _appraise(self, asked: Sequence[tuple[Answer, LiveContext]]) -> list[Evaluated]:
        held = self._held
        return [NOTHING] * len(asked) if held is None else held.appraise(asked)

    def _is_other_table(self) -> bool:
        """Whether there is another table than that in use; notices what was appended to it."""
        now = self._monotonic()
        if now - self._looked < _LOOK_SECONDS:
            return False
        self._looked = now
        stamp = _stamp_of(self._path)
        if stamp is None:
            return False
        held = self._held
        if held is None or held.table.stamp != stamp:
            return True
        held.table.grow()
        return False

    def _open_aside(self, loop: asyncio.AbstractEventLoop) -> None:
        opened = self._open()

        def take() -> None:
            self._opening = False
            self._adopt(opened)
            self._flush()

        # The server may have stopped meanwhile; then nobody waits.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(take)

    def _open(self) -> Appraiser | Exception:
        try:
            # numpy and onnxruntime are loaded here, by the first who asks.
            from serving.evaluating.appraiser import open_appraiser

            return open_appraiser(self._path, self._bundles, self._key, self._held)
        except Exception as error:
            # Whatever it is: a thread that ended without a word would leave requests waiting.
            return error

    def _adopt(self, opened: Appraiser | Exception) -> None:
        if isinstance(opened, Exception):
            # What was used before stays in use: the bundle may still be on its way.
            self._looked = self._monotonic() + _RETRY_SECONDS
            if str(opened) != self._refused:
                self._refused = str(opened)
                self._log.error("feature_table_refused", error=str(opened))
            return
        self._refused = ""
        if self._held is not None:
            self._held.table.close()
        self._held = opened
        self._log.info(
            "feature_table_opened",
            tenants=len(opened.table),
            bundle=opened.table.header.model_version,
        )


def _stamp_of(path: Path) -> tuple[int, int] | None:
    """What tells one version of the file from another; None without a file."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
