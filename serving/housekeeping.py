"""What must be done now and then beside deciding: live events are sealed into the history."""

from __future__ import annotations

import threading

import structlog

from flyball.errors import FlyballError, HomeInUse
from flyball.home import Home
from flyball.instant import MINUTE_US
from telemetry.history import seal, seal_due

#: How often to see whether sealing is due.
LOOK_US = MINUTE_US


class Housekeeper:
    """Seals in a thread of its own, so that deciding does not wait for it."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._looked_us = 0
        self._thread: threading.Thread | None = None
        self._log = structlog.get_logger("serving.housekeeping")

    def look(self, now_us: int) -> None:
        """Start sealing if it is due and not under way; returns at once.

        Parameters
        ----------
        now_us:
            The wall clock: identities are kept by when events arrived.
        """
        if now_us - self._looked_us < LOOK_US or (self._thread and self._thread.is_alive()):
            return
        self._looked_us = now_us
        self._thread = threading.Thread(target=self._seal, args=(now_us,), name="seal", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Wait for a sealing under way."""
        if self._thread is not None:
            self._thread.join()

    def _seal(self, now_us: int) -> None:
        try:
            if seal_due(self._home, now_us):
                done = seal(self._home, now_us)
                self._log.info("sealed", events=done.sealed, forgotten=done.forgotten)
        except HomeInUse:
            return  # an import is under way; the next look tries again
        except FlyballError as error:
            self._log.error("sealing_failed", error=str(error))
