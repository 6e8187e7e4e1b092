"""Request bodies, read with a bound: a client cannot make a worker hold more than it allows."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request

from serving.rest.problem import ProblemError

#: Largest event batch and document accepted, in bytes.
MAX_EVENTS_BYTES = 16 * 1024 * 1024
MAX_DOCUMENT_BYTES = 1024 * 1024


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body, at most ``limit`` bytes; else a 413 problem that says the limit."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        parts.append(part)
    return b"".join(parts)


async def read_document(request: Request) -> Any:
    """A JSON body of at most 1 MiB; else a 400, 413 or 415 problem."""
    media = request.headers.get("content-type", "application/json").partition(";")[0].strip()
    if media.lower() != "application/json":
        raise ProblemError(415, "Send application/json.", code="unsupported_media_type")
    raw = await read_body(request, MAX_DOCUMENT_BYTES)
    if not raw.strip():
        raise ProblemError(400, "The body is empty; a JSON document is needed.", code="empty_body")
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise ProblemError(400, f"The body is not valid JSON: {error}.", code="bad_json") from error


def _too_large(limit: int) -> ProblemError:
    return ProblemError(
        413,
        f"The body is larger than {limit} bytes; send it in smaller parts.",
        code="body_too_large",
        headers={"connection": "close"},
    )
