"""Whether a directory must be listed again, told from its time of change."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

#: A directory that changed more recently than this may change again under the same time: file
#: systems keep times in steps, of some milliseconds mostly, of two seconds at worst.
SETTLED_NS = 2_000_000_000 + 1
#: However it looks, a directory is listed this often: not every file system keeps such times right.
MOST_SECONDS = 1.0


class Listing:
    """What was known of a directory when its names were last listed.

    Processes look for a newer snapshot ten times a second, and what they find is nearly always what
    they found before: one look at the directory's time costs a tenth of listing it.
    """

    def __init__(
        self,
        directory: Path,
        *,
        wall_ns: Callable[[], int] = time.time_ns,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = str(directory)
        self._wall_ns = wall_ns
        self._seconds = seconds
        self._stamp: tuple[int, int] | None = None
        self._until = 0.0

    def begin(self) -> None:
        """To be called just before the names are listed."""
        stamp = self._look()
        settled = stamp is not None and self._wall_ns() - stamp[0] >= SETTLED_NS
        self._stamp = stamp if settled else None
        self._until = self._seconds() + MOST_SECONDS

    def forget(self) -> None:
        """List again next time, whatever happens."""
        self._stamp = None

    def holds(self) -> bool:
        """Whether the names are surely the ones that were listed."""
        return (
            self._stamp is not None
            and self._seconds() < self._until
            and self._look() == self._stamp
        )

    def _look(self) -> tuple[int, int] | None:
        try:
            status = os.stat(self._path)
        except OSError:
            return None
        return status.st_mtime_ns, status.st_ino
