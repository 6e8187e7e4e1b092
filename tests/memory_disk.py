"""Where tests put their files: in memory where there is room for it, for the disk is what is slow.

Thousands of tests make a ledger, an event store or a model registry of their own, and SQLite waits
for the disk at every commit: milliseconds on a fast disk, tens of them on a shared one. That data
survives a dead machine no test can show, so nothing is proved by waiting.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

#: Linux's file system in memory, which every process may write to.
MEMORY = Path("/dev/shm")
#: A whole run fills far less; beneath it neither the machine nor a container may fall short.
ROOM_BYTES = 4 << 30
PREFIX = "flyball-tests-"


def settle(memory: Path = MEMORY, *, room_bytes: int = ROOM_BYTES) -> Path | None:
    """Make a directory in memory the one for temporary files, here and in every child.

    None, and nothing changed, where somebody chose ``TMPDIR`` or memory will not do.
    """
    if "TMPDIR" in os.environ or not _fits(memory, room_bytes):
        return None
    clear(memory)
    place = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=memory))
    os.environ["TMPDIR"] = str(place)
    tempfile.tempdir = None
    return place


def leave(place: Path) -> None:
    """Give the memory back; temporary files go where they went before."""
    os.environ.pop("TMPDIR", None)
    tempfile.tempdir = None
    shutil.rmtree(place, ignore_errors=True)


def clear(memory: Path) -> None:
    """Remove what runs that are over left there: those that failed, and those that were killed."""
    for left in memory.glob(f"{PREFIX}*-*"):
        pid = left.name.removeprefix(PREFIX).split("-")[0]
        if not Path("/proc", pid).exists():
            shutil.rmtree(left, ignore_errors=True)


def _fits(memory: Path, room_bytes: int) -> bool:
    """Whether it is there, may hold programs (tests build environments), and has room."""
    try:
        found = os.statvfs(memory)
        kilobytes = Path("/proc/meminfo").read_text("ascii").split("MemAvailable:")[1].split()[0]
    except (OSError, IndexError):
        return False
    runs = not found.f_flag & (os.ST_NOEXEC | os.ST_RDONLY)
    free = min(found.f_bavail * found.f_frsize, int(kilobytes) * 1024)
    return runs and free >= room_bytes and os.access(memory, os.W_OK | os.X_OK)
