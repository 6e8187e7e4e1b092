"""What tells one version of a small file from the next without reading it."""

from __future__ import annotations

from pathlib import Path

from models.current import POINTER_FILE


def pointer_stamp(folder: Path) -> tuple[int, int] | None:
    """What tells one pointer file from the next without reading it; None without one."""
    return file_stamp(folder / POINTER_FILE)


def file_stamp(path: Path) -> tuple[int, int] | None:
    """When a file was written, and which file it is; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino
