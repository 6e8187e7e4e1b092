"""Keeps the standings up to date in the background, so that no page waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

from console.standings.file import Standings
from flyball.errors import FlyballError

_LOOK_S = 0.5
_USAGE_S = 60.0
#: Gathering costs seconds of a core for large homes, and pages only a little more without it.
_GATHER_S = 600.0


class Follower:
    """A thread that follows until it is closed; what fails is logged and tried again.

    Parameters
    ----------
    standings:
        What is kept up to date.
    gather:
        Brings each account's usage together, now and then; returns whether there was need.
    """

    def __init__(self, standings: Standings, gather: Callable[[], bool] = lambda: False) -> None:
        self._standings = standings
        self._gather = gather
        self._stopping = threading.Event()
        self._log = structlog.get_logger("console.follower")
        self._thread = threading.Thread(target=self._run, name="standings", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Begin nothing more."""
        self._stopping.set()

    def close(self) -> None:
        """End; what is under way is finished."""
        self.stop()
        self._thread.join(10)

    def _run(self) -> None:
        usage_at = gather_at = 0.0
        while not self._stopping.is_set():
            try:
                self._standings.follow()
                if time.monotonic() >= usage_at:
                    self._standings.follow_usage()
                    usage_at = time.monotonic() + _USAGE_S
                    if time.monotonic() >= gather_at and self._gather():
                        gather_at = time.monotonic() + _GATHER_S
            # Pages go on showing what was known; they say how old it is.
            except Exception as error:
                if self._stopping.is_set():
                    return
                known = isinstance(error, FlyballError)
                self._log.error("not_followed", error=str(error), exc_info=not known)
                self._stopping.wait(5.0)
            self._stopping.wait(_LOOK_S)
