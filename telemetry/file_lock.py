"""One process at a time may change a directory; readers need no lock."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from flyball.errors import HomeInUse
from telemetry.database import storage_errors


@contextmanager
def directory_lock(directory: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold ``directory/.lock``; the kernel lets go of it even after ``kill -9``.

    Raises
    ------
    HomeInUse
        Another process, which the message names, holds it and ``wait`` is false.
    """
    path = directory / ".lock"
    with storage_errors(path):
        directory.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise HomeInUse(
                f"Another process ({holder_of(descriptor)}) is writing {directory}.",
                "Wait for it and try again.",
            ) from error
        name_holder(descriptor)
        yield
    finally:
        os.close(descriptor)


def name_holder(descriptor: int) -> None:
    """Write this process's id into a lock file that it holds, for :func:`holder_of`."""
    # Only for a message: a full disk must not keep anybody from the lock.
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)


def holder_of(descriptor: int) -> str:
    """The id of the process that holds an open lock file, as it wrote it; or ``unknown``."""
    return os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
