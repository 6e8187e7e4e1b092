"""Where a service is, and connections to it: a few lines over the standard library's client."""

from __future__ import annotations

import http.client
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

from flyball.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class ServiceAddress:
    """A Flyball service: scheme, host, port, and the path that it lies under."""

    secure: bool
    host: str
    port: int | None
    path: str

    @classmethod
    def parse(cls, url: str) -> ServiceAddress:
        """Read ``http://flyball:8080`` or ``https://example.com/flyball``.

        Raises
        ------
        InvalidInput
            It is no such address.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
            raise InvalidInput(
                f"{url[:64]!r} is not the address of a service.",
                "Write it like http://flyball:8080.",
                field="url",
            )
        return cls(parts.scheme == "https", parts.hostname, port, parts.path.rstrip("/"))

    def connect(self, timeout_seconds: float) -> http.client.HTTPConnection:
        """A connection that is not open yet; certificates are checked."""
        if self.secure:
            return http.client.HTTPSConnection(
                self.host,
                self.port,
                timeout=timeout_seconds,
                context=ssl.create_default_context(),
            )
        return http.client.HTTPConnection(self.host, self.port, timeout=timeout_seconds)
