"""The other node's snapshot over HTTP."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

from flyball.errors import InvalidInput, Refused, StorageError
from serving.snapshot.version import Version

#: Silence after which a stream counts as dead; heartbeats come every 5 seconds.
SILENCE_SECONDS = 15.0
_READ_BYTES = 1 << 18


class Upstream:
    """A Flyball service that one's own copy comes from.

    Parameters
    ----------
    url:
        Such as ``https://flyball.example:8080``; http and https only.
    token:
        A bearer token of the role gateway, where the service asks for one.
    """

    def __init__(self, url: str, token: str = "", *, silence_seconds: float = SILENCE_SECONDS):
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InvalidInput(
                f"{url[:200]!r} is not the address of a Flyball service.",
                "Write it like https://flyball.example:8080.",
                field="follow",
            )
        try:
            port = parts.port
        except ValueError as error:
            raise InvalidInput(f"{url[:200]!r}: {error}.", field="follow") from error
        self.url = f"{parts.scheme}://{parts.netloc}"
        self._secure = parts.scheme == "https"
        self._host, self._port = parts.hostname, port
        self._prefix = parts.path.rstrip("/")
        self._headers = {"accept": "*/*", "user-agent": "flyball-follower"}
        if token:
            self._headers["authorization"] = f"Bearer {token}"
        self._silence = silence_seconds
        self._connection: http.client.HTTPConnection | None = None

    def stream(self, since: Version | None) -> Iterator[bytes]:
        """Everything after ``since`` (None: everything), then what comes, as it comes.

        Ends when the other node ends it.

        Raises
        ------
        StorageError
            It cannot be reached, has nothing yet, or has gone silent.
        Refused
            It does not let us in, or is behind ``since``.
        """
        yield from self._read("/v1/snapshot/stream", since)

    def changes(self, since: Version | None) -> Iterator[bytes]:
        """Everything after ``since`` that is there now; nothing where nothing is newer."""
        yield from self._read("/v1/snapshot", since)

    def close(self) -> None:
        """End a read that another thread is waiting in."""
        connection = self._connection
        sock = None if connection is None else connection.sock
        if sock is not None:
            # Closing alone would leave the other thread in its read until something comes.
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _read(self, path: str, since: Version | None) -> Iterator[bytes]:
        connection = self._connection = self._connect()
        try:
            query = "" if since is None else f"?since={since}"
            connection.request("GET", self._prefix + path + query, headers=self._headers)
            answer = connection.getresponse()
            if answer.status == 304:
                return
            if answer.status != 200:
                raise self._refusal(answer.status)
            while part := answer.read1(_READ_BYTES):
                yield part
        except (OSError, http.client.HTTPException, AttributeError, ValueError) as error:
            # AttributeError and ValueError: closed by another thread in the middle of a read.
            raise StorageError(
                f"{self.url} cannot be read: {error or type(error).__name__}.",
                "What is here stays served; it is tried again.",
            ) from error
        finally:
            connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        if self._secure:
            return http.client.HTTPSConnection(
                self._host,
                self._port,
                timeout=self._silence,
                context=ssl.create_default_context(),
            )
        return http.client.HTTPConnection(self._host, self._port, timeout=self._silence)

    def _refusal(self, status: int) -> Refused | StorageError:
        if status in (401, 403):
            return Refused(
                f"{self.url} does not let us in (HTTP {status}).",
                "Give a token of the role gateway: flyball token create, on that home.",
            )
        if status == 409:
            return Refused(
                f"{self.url} is behind what is here.", "What is here stays served; wait for it."
            )
        return StorageError(f"{self.url} answered HTTP {status}.", "It is tried again.")
