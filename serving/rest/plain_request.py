"""What a request must look like to be answered from the socket's bytes, and how answers begin.

Shared by the two protocols that do so: :mod:`serving.rest.lookup` and
:mod:`serving.evaluating.protocol`. Each keeps its own test of whether the connection is at rest: it
stands in the hottest place there is, and a call would cost what it is there to save.
"""

from __future__ import annotations

import re

#: What ends a block of headers.
END = b"\r\n\r\n"
#: Names that need no unescaping and cannot be a path; the rule of flyball.identity.
NAME = re.compile(rb"[A-Za-z0-9_][A-Za-z0-9_.:@|+=~-]{0,127}").fullmatch
#: Requests longer than this are left to the parser: gateways send short ones.
MAX_FAST_BYTES = 4096
#: Header blocks remembered as harmless and authorised; gateways repeat theirs.
MAX_REMEMBERED = 4096
# Headers that change what the bytes after the request mean, or how the answer must be sent.
_UNUSUAL = frozenset(
    (
        b"connection",
        b"content-length",
        b"expect",
        b"transfer-encoding",
        b"upgrade",
        b"if-none-match",
    )
)
_TOKEN = frozenset(b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


def plain_headers(block: bytes) -> dict[bytes, bytes] | None:
    """Headers (lower-case name to value) of a block without surprises; None if there are any.

    A surprise is a header of ``_UNUSUAL``, a repeated authorisation or host, a folded line, a name
    that is no token, or a bare line feed: whatever two parsers might read differently.
    """
    headers: dict[bytes, bytes] = {}
    for line in block.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        lowered = name.lower()
        if (
            not colon
            or not name
            or b"\n" in line
            or b"\r" in line
            or b"\0" in line
            or not all(byte in _TOKEN for byte in name)
            or lowered in _UNUSUAL
            or (lowered in headers and lowered in (b"authorization", b"host"))
        ):
            return None
        headers[lowered] = value.strip()
    return headers


def answer_head(defaults: list[tuple[bytes, bytes]]) -> bytes:
    """An answer's first lines, up to the number of its bytes.

    ``defaults`` are the server's own headers. uvicorn makes a new list of them every second, for
    the date: its identity says when this must be written anew.
    """
    return (
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncache-control: no-store\r\n"
        + b"".join(b"%b: %b\r\n" % header for header in defaults)
        + b"content-length: "
    )
