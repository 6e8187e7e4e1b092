"""Writing files that are either wholly there or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from flyball.errors import ReadOnlyHome, StorageError, StorageFull
from serving.snapshot.version import Version, base_name, bases_in, delta_path, old_files_in


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's errors into ours, naming ``path`` and what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise StorageFull(
                f"No space is left for {path}.", "Free some; the version before stays served."
            ) from error
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise ReadOnlyHome(
                f"{path} cannot be written.", "Check the owner and mode of the home directory."
            ) from error
        raise StorageError(f"{path}: {error.strerror or error}.") from error


def sync_directory(directory: Path) -> None:
    """Make renames in ``directory`` durable."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_whole(path: Path, parts: Iterable[bytes | memoryview]) -> None:
    """Write ``parts`` to a temporary neighbour, make it durable, and rename it to ``path``."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                file.writelines(parts)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        sync_directory(path.parent)


def append_at(path: Path, raw: bytes, at: int) -> None:
    """Write ``raw`` at offset ``at``, the end of what counts; what a failed append left goes.

    Not synced: after a power cut a torn frame is refused and the next base replaces it.
    """
    handle = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.ftruncate(handle, at)
        written = 0
        while written < len(raw):
            written += os.pwrite(handle, memoryview(raw)[written:], at + written)
    finally:
        os.close(handle)


def remove_before(directory: Path, version: Version) -> None:
    """Remove bases older than the one before ``version``, and files of format 1.

    The base before stays for readers that are just opening it.
    """
    older = [base for base in bases_in(directory) if base < version]
    for base in older[1:]:
        path = directory / base_name(base)
        path.unlink(missing_ok=True)
        delta_path(path).unlink(missing_ok=True)
    for path in old_files_in(directory):
        path.unlink(missing_ok=True)
    # Format 1 had a pointer; the highest version needs none.
    (directory / "current").unlink(missing_ok=True)
