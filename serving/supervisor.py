"""The parent of one service: it holds the sockets and the home's lock, and keeps children alive.

It does nothing else, so that it has little to fail with. A child that dies is started again, with
growing pauses if it dies at once; the others go on serving meanwhile. The listening sockets live
here, so a worker's death refuses no connection.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import FrameType

import structlog

from flyball.errors import HomeInUse, ReadOnlyHome, StorageError
from serving.parent_process import end_with_parent
from telemetry.file_lock import holder_of, name_holder

_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 10.0
#: A child that lived this long is healthy: its next death starts from the first pause again.
_HEALTHY_SECONDS = 30.0
_STOP_SECONDS = 8.0
_POLL_SECONDS = 0.1


def take_lock(path: Path) -> int:
    """Hold the home's lock until this process ends; the open descriptor.

    Raises
    ------
    HomeInUse
        Another server holds it.
    ReadOnlyHome
        The lock cannot be created.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise ReadOnlyHome(
                f"{path.parent} cannot be written.", "Check the home's owner and mode."
            ) from error
        raise StorageError(f"{path}: {error.strerror}.", "Check the home directory.") from error
    deadline = time.monotonic() + 2.0
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except OSError as error:
            if time.monotonic() > deadline:
                holder = holder_of(handle)
                os.close(handle)
                raise HomeInUse(
                    f"Another flyball serves this home already (process {holder}).",
                    "Stop it, or give this one another --home.",
                ) from error
            time.sleep(0.1)
    name_holder(handle)
    return handle


def _prepare_child(niceness: int) -> None:
    # A terminal signals the whole process group; the supervisor alone acts and stops the others.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.nice(niceness)
    # A killed supervisor must not leave children that hold the port.
    end_with_parent()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """A process to keep alive: ``argv`` follows the interpreter; ``fds`` are handed down.

    ``niceness`` (0..19) is added to the supervisor's own: the higher, the more others come first.
    """

    name: str
    argv: tuple[str, ...]
    fds: tuple[int, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    niceness: int = 0


class _Child:
    def __init__(self, spec: ChildSpec) -> None:
        self.spec = spec
        self.process: subprocess.Popen[bytes] | None = None
        self.started = 0.0
        self.pause = _FIRST_PAUSE
        self.retry_at = 0.0

    def start(self) -> None:
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, *self.spec.argv],
            pass_fds=self.spec.fds,
            env={**os.environ, **self.spec.environment},
            stdin=subprocess.DEVNULL,
            # Forked from the only thread.
            preexec_fn=partial(_prepare_child, self.spec.niceness),  # noqa: PLW1509
        )

    def poll(self, log: structlog.stdlib.BoundLogger) -> None:
        now = time.monotonic()
        if self.process is None:
            if now >= self.retry_at:
                self.start()
            return
        code = self.process.poll()
        if code is None:
            return
        lived = now - self.started
        self.pause = (
            _FIRST_PAUSE if lived > _HEALTHY_SECONDS else min(self.pause * 2, _LONGEST_PAUSE)
        )
        log.error(
            "child_died",
            child=self.spec.name,
            code=code,
            lived_seconds=round(lived, 1),
            restart_in=self.pause,
        )
        self.process, self.retry_at = None, now + self.pause


class Supervisor:
    """Starts children, restarts what dies, and stops all of them on SIGTERM, SIGINT or SIGHUP."""

    def __init__(self, specs: Sequence[ChildSpec]) -> None:
        self._children = [_Child(spec) for spec in specs]
        self._stop = threading.Event()
        self._log = structlog.get_logger("serving.supervisor")

    def request_stop(self, number: int = 0, frame: FrameType | None = None) -> None:
        """Ask :meth:`run` to stop; usable as a signal handler."""
        self._stop.set()

    def run(self) -> None:
        """Serve until asked to stop; all children have ended on return."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.request_stop)
        # Under nohup it is ignored, and stays so: the terminal may go.
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, self.request_stop)
        try:
            for child in self._children:
                child.start()
            while not self._stop.wait(_POLL_SECONDS):
                for child in self._children:
                    child.poll(self._log)
        finally:
            self.stop_children()

    def stop_children(self) -> None:
        """Ask every child to end, and end those that do not."""
        running = [c.process for c in self._children if c.process and c.process.poll() is None]
        for process in running:
            with suppress(ProcessLookupError):
                process.terminate()
        deadline = time.monotonic() + _STOP_SECONDS
        for process in running:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
