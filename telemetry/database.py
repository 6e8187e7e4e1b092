"""The event log's SQLite file: how it is opened, and what its errors mean to a caller."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw

from flyball.errors import ReadOnlyHome, StorageError, StorageFull
from telemetry.schema import DDL, SCHEMA_VERSION

#: How long a transaction waits for another process's before it gives up.
BUSY_TIMEOUT_MS = 20_000

#: Pages of WAL (4 KiB each) after which a commit also checkpoints.
CHECKPOINT_PAGES = 8_192


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite or the file system says about ``path`` into a ``StorageError``."""
    try:
        yield
    except apsw.FullError as error:
        raise _full(path) from error
    except (apsw.ReadOnlyError, apsw.PermissionsError) as error:
        raise _read_only(path) from error
    except apsw.CantOpenError as error:
        raise StorageError(
            f"{path} cannot be opened.", "Check that the home directory exists and is yours."
        ) from error
    except (apsw.BusyError, apsw.LockedError) as error:
        raise StorageError(
            f"{path} is held by another process.", "Wait for it to finish and try again."
        ) from error
    except (apsw.CorruptError, apsw.NotADBError) as error:
        raise StorageError(
            f"{path} is damaged or not an event log.", "Restore it from a backup."
        ) from error
    except apsw.IOError as error:
        raise StorageError(
            f"{path} cannot be read or written: {error}.", "Check the disk and its quota."
        ) from error
    except OSError as error:
        raise os_error(path, error) from error


def os_error(path: Path, error: OSError) -> StorageError:
    """The ``StorageError`` that says what the file system's ``error`` means for ``path``."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return _full(path)
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return _read_only(path)
    return StorageError(f"{path}: {error.strerror or error}.", "Check the home directory.")


def _full(path: Path) -> StorageFull:
    return StorageFull(
        f"No space is left to write {path}.",
        "Free some space and try again; what was acknowledged is kept.",
    )


def _read_only(path: Path) -> ReadOnlyHome:
    return ReadOnlyHome(f"{path} cannot be written.", "Check the home's owner, mode and mount.")


def open_database(path: Path, *, read_only: bool = False) -> Any:
    """Open (and unless ``read_only`` create) the event log at ``path``.

    Commits are durable when they return: WAL with ``synchronous=FULL``. ``NORMAL`` would lose
    acknowledged events at a power cut.

    Raises
    ------
    StorageError
        Or the subclass that fits: full, read-only, damaged, written by a newer version.
    """
    with storage_errors(path):
        if not read_only:
            path.parent.mkdir(parents=True, exist_ok=True)
        flags = apsw.SQLITE_OPEN_READONLY if read_only else _CREATE
        connection = apsw.Connection(str(path), flags=flags)
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        if read_only:
            return connection
        connection.pragma("journal_mode", "wal")
        connection.pragma("synchronous", "full")
        connection.pragma("cache_size", -65_536)
        connection.wal_autocheckpoint(CHECKPOINT_PAGES)
        _migrate(connection, path)
        return connection


_CREATE = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE


@contextmanager
def transaction(connection: Any) -> Iterator[None]:
    """One write transaction that takes the write lock at once, so that it never deadlocks."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # SQLite rolls back by itself on some errors (disk full); a second ROLLBACK would mask them.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _migrate(connection: Any, path: Path) -> None:
    version = connection.pragma("user_version")
    if version == SCHEMA_VERSION:
        return
    if version > SCHEMA_VERSION:
        raise StorageError(
            f"{path} was written by a newer Flyball (schema {version}, ours is {SCHEMA_VERSION}).",
            "Upgrade Flyball, or use another home.",
        )
    with transaction(connection):
        for statement in DDL:
            connection.execute(statement)
        connection.pragma("user_version", SCHEMA_VERSION)
