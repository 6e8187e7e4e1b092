"""Keeping a directory like a service's snapshot, by its stream.

One process of a machine does it for all that share the directory: whoever holds the lock. When that
process ends, another takes over.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from flyball.errors import BundleError, FlyballError, StorageError
from serving.snapshot.mirror import SnapshotMirror
from serving.snapshot.upstream import Upstream

#: How long a service that is away, or ends the stream, is left alone.
REST_SECONDS = 0.5


class StreamedMirror:
    """Mirrors a service's snapshot into ``directory``.

    Parameters
    ----------
    upstream:
        The service.
    directory, key:
        Where the files go, and what they must be signed with.
    """

    def __init__(self, upstream: Upstream, directory: Path, key: Ed25519PublicKey) -> None:
        self._upstream = upstream
        self._directory = directory
        self._key = key
        self._log = structlog.get_logger("serving.node")
        self._complaint = ""
        self._refused = False
        #: Called when something new is whole in the directory; by the thread that mirrors.
        self.when_taken: Callable[[], None] = lambda: None

    @property
    def refused(self) -> bool:
        """Whether what the service sent last could not be trusted."""
        return self._refused

    def run(self, stop: threading.Event) -> None:
        """Mirror until ``stop`` is set and :meth:`close` is called."""
        while not stop.is_set():
            try:
                with _lock(self._directory) as held:
                    if held:
                        self._follow(stop)
            except OSError as error:
                self._complain(f"{self._directory}: {error.strerror or error}")
            stop.wait(REST_SECONDS)

    def close(self) -> None:
        """End a read that is waiting."""
        self._upstream.close()

    def once(self) -> None:
        """Take what there is now.

        Raises
        ------
        FlyballError
            The service is away, or what it has cannot be used; what is here stays.
        """
        try:
            with _lock(self._directory) as held:
                if not held:
                    raise StorageError(
                        f"Another process keeps {self._directory}.", "Give another directory."
                    )
                mirror = SnapshotMirror(self._directory, self._key)
                for chunk in self._upstream.changes(mirror.version):
                    mirror.take(chunk)
        except OSError as error:
            raise StorageError(f"{self._directory}: {error.strerror or error}.") from error

    def _follow(self, stop: threading.Event) -> None:
        mirror = SnapshotMirror(self._directory, self._key)
        while not stop.is_set():
            try:
                for chunk in self._upstream.stream(mirror.version):
                    # A first part says nothing yet: only what is whole has been verified.
                    if mirror.take(chunk):
                        self._complaint, self._refused = "", False
                        self.when_taken()
                    if stop.is_set():
                        break
            except FlyballError as error:
                # Away, not signed, or older than what is here: what is here stays.
                self._refused = isinstance(error, BundleError)
                if not stop.is_set():
                    self._complain(str(error))
            mirror.reset()
            stop.wait(REST_SECONDS)

    def _complain(self, why: str) -> None:
        if why != self._complaint:
            self._log.warning("mirror_behind", why=why)
        self._complaint = why


@contextmanager
def _lock(directory: Path) -> Iterator[bool]:
    """Hold a directory's lock for a while; False where another process does."""
    directory.mkdir(parents=True, exist_ok=True)
    handle = os.open(directory / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)


def mirroring_from(
    url: str, *, token: str | None, directory: Path, key: Ed25519PublicKey
) -> StreamedMirror:
    """What mirrors the service at ``url`` into ``directory``."""
    return StreamedMirror(Upstream(url, token or ""), directory, key)
