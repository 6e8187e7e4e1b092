"""Live events become history beside the control loop, once an hour or when many have gathered."""

from __future__ import annotations

import threading
import time

import structlog

from flyball.errors import HomeInUse, StorageError
from flyball.home import Home
from telemetry.history import seal, seal_due

_LOOK_EVERY_S = 60.0


def keep_sealed(home: Home, stopping: threading.Event, *, every_s: float = _LOOK_EVERY_S) -> None:
    """Seal whenever it is due, until ``stopping`` is set; what fails is tried again later."""
    log = structlog.get_logger("serving.sealing")
    while not stopping.wait(every_s):
        began = time.perf_counter()
        try:
            now_us = time.time_ns() // 1_000
            if not seal_due(home, now_us):
                continue
            done = seal(home, now_us)
        except HomeInUse:
            continue  # an import is under way
        except StorageError as error:
            log.error("sealing_failed", error=str(error))
            continue
        log.info(
            "sealed",
            events=done.sealed,
            duplicates=done.duplicates,
            conflicts=done.conflicts,
            milliseconds=round((time.perf_counter() - began) * 1_000),
        )
