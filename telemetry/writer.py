"""Group commit: many callers' batches in one durable transaction.

A commit costs one flush of the disk however much it holds, so callers that arrive while one flush
is under way share the next.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

from flyball.errors import StorageError

Job = TypeVar("Job")
Result = TypeVar("Result")

#: Jobs that share one transaction at most; bounds how long the first of them waits.
MAX_GROUP = 256


class GroupCommit(Generic[Job, Result]):
    """One thread that commits submitted jobs in groups.

    Parameters
    ----------
    commit:
        Takes jobs, makes all of them durable or raises having changed nothing, and returns one
        result a job.
    name:
        Of the thread.
    """

    def __init__(self, commit: Callable[[Sequence[Job]], Sequence[Result]], *, name: str) -> None:
        self._commit = commit
        self._queue: queue.SimpleQueue[tuple[Job, Future[Result]] | None] = queue.SimpleQueue()
        self._closed = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> Future[Result]:
        """Queue ``job``; the future resolves after the flush that holds it."""
        future: Future[Result] = Future()
        with self._lock:
            if self._closed:
                raise StorageError("The event log is closed.", "The service is shutting down.")
            self._queue.put((job, future))
        return future

    def close(self) -> None:
        """Commit what is queued, then stop."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        running = True
        while running:
            group, running = self._next_group()
            if group:
                self._settle(group)

    def _next_group(self) -> tuple[list[tuple[Job, Future[Result]]], bool]:
        entry = self._queue.get()
        group: list[tuple[Job, Future[Result]]] = []
        while entry is not None:
            group.append(entry)
            if len(group) == MAX_GROUP:
                return group, True
            try:
                entry = self._queue.get_nowait()
            except queue.Empty:
                return group, True
        return group, False

    def _settle(self, group: list[tuple[Job, Future[Result]]]) -> None:
        waiting = [pair for pair in group if pair[1].set_running_or_notify_cancel()]
        if not waiting:
            return
        try:
            results = self._commit([job for job, _ in waiting])
        except BaseException as error:
            for _, future in waiting:
                future.set_exception(error)
            return
        for (_, future), result in zip(waiting, results, strict=True):
            future.set_result(result)
