"""One SQLite file opened by several threads and processes; its errors as ours."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw

from flyball.errors import ReadOnlyHome, StorageError, StorageFull
from ledger.schema import MIGRATIONS, SCHEMA_VERSION

#: How long a writer waits for another process's commit before it gives up.
BUSY_TIMEOUT_MS = 15_000


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite says about ``path`` into a :class:`StorageError` that says what to do."""
    try:
        yield
    except apsw.FullError as error:
        raise StorageFull(
            f"No space is left to write {path}.",
            "Free some space and run the command again; what was acknowledged is kept.",
        ) from error
    except (apsw.ReadOnlyError, apsw.PermissionsError) as error:
        raise ReadOnlyHome(
            f"{path} cannot be written.", "Check the owner and mode of the home directory."
        ) from error
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
            f"{path} is damaged or not a ledger.", "Restore it from a backup; serving goes on."
        ) from error
    except apsw.IOError as error:
        raise StorageError(
            f"{path} cannot be read or written: {error}.", "Check the disk and its quota."
        ) from error


class SqliteFile:
    """Connections to one ledger file: one per thread, none shared across a fork.

    Parameters
    ----------
    path:
        The SQLite file. Its directory is created unless ``read_only``.
    read_only:
        Never create or change anything; works on a home that cannot be written.
    busy_timeout_ms:
        Longest wait for another writer.
    """

    def __init__(
        self, path: Path, *, read_only: bool = False, busy_timeout_ms: int = BUSY_TIMEOUT_MS
    ) -> None:
        self.path = path
        self.read_only = read_only
        self._busy_timeout_ms = busy_timeout_ms
        self._local = threading.local()
        self._opened: list[Any] = []
        self._lock = threading.Lock()
        with storage_errors(path):
            if not read_only:
                self._make_directory()
            self._connection()

    def _make_directory(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ReadOnlyHome(
                f"{self.path.parent} cannot be created: {error.strerror}.",
                "Choose another directory with --home or FLYBALL_HOME.",
            ) from error

    def _connection(self) -> Any:
        held = getattr(self._local, "held", None)
        if held is not None and held[0] == os.getpid():
            return held[1]
        connection = self._open_for_reading() if self.read_only else self._open_for_writing()
        self._local.held = (os.getpid(), connection)
        with self._lock:
            self._opened.append(connection)
        return connection

    def _open_for_writing(self) -> Any:
        connection = apsw.Connection(str(self.path))
        connection.set_busy_timeout(self._busy_timeout_ms)
        connection.pragma("journal_mode", "wal")
        # NORMAL loses acknowledged rows at a power cut (DESIGN §10).
        connection.pragma("synchronous", "FULL")
        connection.pragma("cache_size", -64_000)
        migrate(connection, self.path)
        return connection

    def _open_for_reading(self) -> Any:
        try:
            connection = apsw.Connection(str(self.path), flags=apsw.SQLITE_OPEN_READONLY)
            connection.set_busy_timeout(self._busy_timeout_ms)
            _check_version(connection, self.path)
        except (apsw.CantOpenError, apsw.ReadOnlyError):
            # WAL needs a writable directory; a read-only one has no writer, so nothing can move.
            name = "file:" + str(self.path).replace("?", "%3f").replace("#", "%23")
            flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
            connection = apsw.Connection(name + "?immutable=1", flags=flags)
            _check_version(connection, self.path)
        return connection

    @contextmanager
    def reading(self) -> Iterator[Any]:
        """A connection to read from, outside of any transaction of ours."""
        with storage_errors(self.path):
            yield self._connection()

    @contextmanager
    def writing(self) -> Iterator[Any]:
        """A connection inside one transaction: committed and durable on leaving, else undone."""
        with storage_errors(self.path):
            connection = self._connection()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                # A full disk may have undone the transaction already.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def rows(self, sql: str, bindings: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """All rows of one query."""
        with self.reading() as connection:
            found: list[tuple[Any, ...]] = connection.execute(sql, bindings).fetchall()
            return found

    def close(self) -> None:
        """Close every thread's connection; the file stays."""
        with self._lock:
            opened, self._opened = self._opened, []
            self._local = threading.local()
        for connection in opened:
            connection.close()


def migrate(connection: Any, path: Path) -> None:
    """Bring the file up to :data:`SCHEMA_VERSION`; two processes may try at once."""
    if connection.pragma("user_version") == SCHEMA_VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        current = int(connection.pragma("user_version"))
        _refuse_newer(current, path)
        for script in MIGRATIONS[current:]:
            connection.execute(script)
        connection.pragma("user_version", SCHEMA_VERSION)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _refuse_newer(current: int, path: Path) -> None:
    if current > SCHEMA_VERSION:
        raise StorageError(
            f"{path} was written by a newer Flyball (schema {current}, this one knows "
            f"{SCHEMA_VERSION}).",
            "Upgrade Flyball, or use another home.",
        )


def _check_version(connection: Any, path: Path) -> None:
    current = int(connection.pragma("user_version"))
    _refuse_newer(current, path)
    if current < SCHEMA_VERSION:
        raise StorageError(
            f"{path} has the older schema {current}.",
            "Run any writing command, such as flyball import, to bring it up to date.",
        )
