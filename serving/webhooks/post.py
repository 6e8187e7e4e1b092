"""One POST of one message: no redirects, a deadline, and little read of the answer."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import SplitResult, urlunsplit

from flyball.instant import SECOND_US

_READ_BYTES = 1_024


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the receiver said: an HTTP status, or why there was none (``status`` 0)."""

    status: int
    error: str = ""
    retry_after: str = ""

    @property
    def taken(self) -> bool:
        """Whether the message was accepted."""
        return 200 <= self.status < 300

    def wait_us(self, now_us: int) -> int | None:
        """How long the receiver asks to be left alone; None where it does not say."""
        text = self.retry_after.strip()
        if text.isdecimal() and len(text) < 10:
            return int(text) * SECOND_US
        try:
            at_us = int(parsedate_to_datetime(text).timestamp() * SECOND_US)
        except (TypeError, ValueError, OverflowError):
            return None
        return max(0, at_us - now_us)


def post(
    address: SplitResult, body: bytes, headers: Mapping[str, str], *, timeout_s: float
) -> Answer:
    """Send ``body`` as JSON; never raises for what the network or the receiver does."""
    connection: http.client.HTTPConnection
    if address.scheme == "https":
        connection = http.client.HTTPSConnection(
            address.hostname or "",
            address.port,
            timeout=timeout_s,
            context=ssl.create_default_context(),
        )
    else:
        connection = http.client.HTTPConnection(
            address.hostname or "", address.port, timeout=timeout_s
        )
    path = urlunsplit(("", "", address.path or "/", address.query, ""))
    sent = {"content-type": "application/json", "user-agent": "flyball", **headers}
    try:
        connection.request("POST", path, body=body, headers=sent)
        response = connection.getresponse()
        response.read(_READ_BYTES)
        status = response.status
        error = "" if 200 <= status < 300 else f"HTTP {status}"
        return Answer(
            status=status, error=error, retry_after=response.getheader("retry-after") or ""
        )
    except (OSError, http.client.HTTPException, ValueError) as failure:
        return Answer(status=0, error=f"{type(failure).__name__}: {failure}"[:200])
    finally:
        connection.close()
