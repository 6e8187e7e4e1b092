"""The threads of a node: one takes what is new into its directory, one into its memory."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

import structlog

from serving.node.metrics import NodeMetrics
from serving.node.node import Node

#: How often the directory is looked at, beside whenever something has come.
REFRESH_SECONDS = 0.1
#: How long a stopping follower waits for its threads.
STOP_SECONDS = 5.0


class Mirroring(Protocol):
    """Keeps the node's directory like the service's, until it is stopped."""

    #: Called when something new is whole in the directory.
    when_taken: Callable[[], None]

    @property
    def refused(self) -> bool:
        """Whether what the service sent last could not be trusted."""

    def run(self, stop: threading.Event) -> None:
        """Mirror until ``stop`` is set; a service that is away is asked again."""

    def close(self) -> None:
        """End a read that is waiting, so that ``stop`` is seen."""


class Follower:
    """Keeps a node up to date.

    Parameters
    ----------
    node:
        What is kept up to date.
    mirroring:
        What fills its directory; None where another process does (a home on this machine).
    now_us:
        The wall clock.
    metrics:
        Told at every look, if given.
    refreshes:
        False where the caller refreshes the node itself.

    Threads start with :meth:`start`, not before: a process that forks its workers starts them in
    each. They are daemons, so that a process which never calls :meth:`stop` can still end.
    """

    def __init__(
        self,
        node: Node,
        mirroring: Mirroring | None,
        *,
        now_us: Callable[[], int],
        metrics: NodeMetrics | None = None,
        refreshes: bool = True,
    ) -> None:
        self._node = node
        self._taken = threading.Event()
        self._mirroring = mirroring
        if mirroring is not None:
            node.distrusts = lambda: mirroring.refused
            mirroring.when_taken = self._taken.set
        self._now_us = now_us
        self._metrics = metrics
        self._refreshes = refreshes
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._log = structlog.get_logger("serving.node")

    def start(self) -> None:
        """Take over what is on disk, now, and go on from there. Once only; again does nothing."""
        if self._threads:
            return
        if self._refreshes:
            self._look()
            self._threads.append(self._thread("flyball-refresh", self._refresh))
        if self._mirroring is not None:
            self._threads.append(self._thread("flyball-mirror", self._mirror))
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop both threads and wait a moment for them."""
        self._stop.set()
        self._taken.set()
        if self._mirroring is not None:
            self._mirroring.close()
        for thread in self._threads:
            thread.join(STOP_SECONDS)

    def _thread(self, name: str, target: Callable[[], None]) -> threading.Thread:
        return threading.Thread(target=target, name=name, daemon=True)

    def _look(self) -> None:
        now_us = self._now_us()
        self._node.refresh(now_us)
        if self._metrics is not None:
            self._metrics.show(self._node.standing(now_us), now_us)

    def _refresh(self) -> None:
        # Another process may keep the directory: then nobody says when something has come.
        while True:
            self._taken.wait(REFRESH_SECONDS)
            self._taken.clear()
            if self._stop.is_set():
                return
            try:
                self._look()
            except Exception:
                # The thread must outlive any surprise: without it decisions only age.
                self._log.exception("refresh_failed")

    def _mirror(self) -> None:
        assert self._mirroring is not None
        while not self._stop.is_set():
            try:
                self._mirroring.run(self._stop)
            except Exception:
                # As above; what is here stays in use, and it is tried again.
                self._log.exception("mirror_failed")
            self._stop.wait(1.0)
