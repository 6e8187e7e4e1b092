"""Files that a gateway reads: wholly there or as they were, and not synced, being made again."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from serving.snapshot.disk import storage_errors


def replace_file(path: Path, lines: Iterable[str]) -> int:
    """Write ``lines`` beside ``path`` and rename it there; its size in bytes.

    Raises
    ------
    StorageError
        It cannot be written; what was there before is still there.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    with storage_errors(path):
        try:
            with partial.open("w", encoding="utf-8", newline="\n") as file:
                file.writelines(lines)
            size = partial.stat().st_size
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    return size


def append_to(path: Path, text: str) -> int:
    """Append ``text`` in one write; the file's size afterwards."""
    raw = text.encode()
    with storage_errors(path):
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        try:
            at = os.fstat(handle).st_size
            if os.write(handle, raw) != len(raw):
                os.ftruncate(handle, at)
                raise OSError(28, "No space left on device")
            return at + len(raw)
        finally:
            os.close(handle)
