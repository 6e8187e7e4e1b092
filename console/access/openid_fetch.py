"""Asking the provider: within a deadline, within a size, following nothing."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import IO, Any
from urllib.parse import urlencode, urlsplit

from console.access.openid_settings import check_address, loopback
from flyball.errors import FlyballError, InvalidInput

#: One answer has to be here after so many seconds, and in so many bytes.
DEADLINE_SECONDS = 8.0
MOST_BYTES = 512 * 1024
_PIECE = 16 * 1024


class ProviderFailed(FlyballError):
    """The provider cannot be reached, or answers what OpenID Connect does not allow."""


class ProviderRefused(ProviderFailed):
    """The provider says no with an error code; ``error`` is that code."""

    def __init__(self, error: str) -> None:
        super().__init__(f"The provider refused: {error}.")
        self.error = error


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect could lead a secret elsewhere."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def fetch_document(
    address: str,
    *,
    fields: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    deadline_seconds: float = DEADLINE_SECONDS,
) -> dict[str, Any]:
    """The JSON object at ``address``; with ``fields`` it is asked by POST.

    Raises
    ------
    ProviderRefused
        The answer is an OAuth error.
    ProviderFailed
        There is no answer in time, it is too large, or it is not a JSON object.
    """
    try:
        check_address(address, field="The provider's address")
    except InvalidInput as error:
        raise ProviderFailed(str(error)) from None
    request = urllib.request.Request(  # noqa: S310 - checked above
        address,
        data=None if fields is None else urlencode(fields).encode(),
        headers={"Accept": "application/json", "User-Agent": "flyball-console", **(headers or {})},
    )
    handlers: list[Any] = [_NoRedirects]
    if loopback(urlsplit(address).hostname or ""):
        handlers.append(urllib.request.ProxyHandler({}))
    host = urlsplit(address).netloc
    ends = time.monotonic() + deadline_seconds
    try:
        with urllib.request.build_opener(*handlers).open(
            request, timeout=deadline_seconds
        ) as answer:
            return _object(_read(answer, ends), host)
    except urllib.error.HTTPError as error:
        with error:
            raise _refusal(error, ends, host) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        # The reason may quote what was sent; its kind says enough.
        raise ProviderFailed(f"{host} does not answer ({type(error).__name__}).") from None


def _read(answer: IO[bytes], ends: float) -> bytes:
    found = bytearray()
    # One call a packet: a provider that drips could hold a plain read() for ever.
    read = getattr(answer, "read1", answer.read)
    while piece := read(_PIECE):
        found += piece
        if len(found) > MOST_BYTES:
            raise ProviderFailed("The provider's answer is too large.")
        if time.monotonic() > ends:
            raise ProviderFailed("The provider's answer takes too long.")
    return bytes(found)


def _object(raw: bytes, host: str) -> dict[str, Any]:
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ProviderFailed(f"{host} does not answer with a JSON object.")
    return found


def _refusal(error: urllib.error.HTTPError, ends: float, host: str) -> ProviderFailed:
    try:
        code = _object(_read(error, ends), host).get("error")
    except (ProviderFailed, OSError, http.client.HTTPException):
        code = None
    if isinstance(code, str) and code.isascii() and code.replace("_", "").isalnum():
        return ProviderRefused(code[:64])
    return ProviderFailed(f"{host} answers with status {error.code}.")
