"""Small files that are whole or absent, and the operating system's errors as ours."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

from flyball.errors import ReadOnlyHome, StorageError, StorageFull

#: What a full disk, a full quota and a size limit say.
FULL = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
_READ_ONLY = frozenset((errno.EROFS, errno.EACCES, errno.EPERM))


def write_durably(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Replace ``path`` by ``content`` in one step, on disk when this returns."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make a rename or removal in ``path`` durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def storage_error(error: OSError, path: Path) -> StorageError:
    """``error`` while writing ``path``, with what to do next."""
    what = f"{path}: {error.strerror}."
    if error.errno in FULL:
        return StorageFull(what, "Free some space and run the command again.")
    if error.errno in _READ_ONLY:
        return ReadOnlyHome(what, "Check the owner and mode of the home directory.")
    return StorageError(what, "Check that the home is a directory that can be written.")
