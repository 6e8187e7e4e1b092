"""The directory that worker processes share their metrics in, for as long as a service runs."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = "flyball-metrics-"


@contextmanager
def metrics_directory(parent: Path | None = None) -> Iterator[Path]:
    """A directory of this process in ``parent`` (the machine's for temporary files); gone after.

    Not in the home: files that are mapped into memory must not stand on a disk that may be full.
    A running service holds a lock on its directory; what killed ones have left is removed.
    """
    parent = parent or Path(tempfile.gettempdir())
    for left in parent.glob(f"{_PREFIX}*"):
        # Another user's cannot be opened, and stays.
        with suppress(OSError):
            lock = _locked(left)
            shutil.rmtree(left, ignore_errors=True)
            os.close(lock)
    made, lock = _make(parent)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
        os.close(lock)


def _make(parent: Path) -> tuple[Path, int]:
    while True:
        made = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        try:
            return made, _locked(made)
        except (BlockingIOError, FileNotFoundError):
            # A service that starts at the same moment took it for one that was left.
            continue


def _locked(directory: Path) -> int:
    """A descriptor that holds the directory's lock; BlockingIOError where a service does."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Locked, but maybe just removed.
        directory.stat()
    except OSError:
        os.close(handle)
        raise
    return handle
