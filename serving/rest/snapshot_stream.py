"""The snapshot as an endless stream: what one lacks, then every version as it appears.

There is no queue: each reader has a position in the files, and gets the next piece when it has
taken the one before. A slow one falls behind and costs nothing; a stuck one is cut off.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from starlette.types import Receive, Scope, Send

from serving.snapshot.layout import HEARTBEAT, HEARTBEAT_MAGIC
from serving.snapshot.transfer import CHUNK_BYTES, OpenBase, SnapshotCopy, open_newest
from serving.snapshot.version import Version, bases_in
from serving.stream_slots import Slots

MEDIA_TYPE = b"application/vnd.flyball.snapshot-stream"
#: How often the files are looked at.
LOOK_SECONDS = 0.025
#: How often a sign of life is sent where nothing else is.
HEARTBEAT_SECONDS = 5.0
#: How long one piece may wait for its reader.
PATIENCE_SECONDS = 30.0


class SnapshotStream:
    """One reader's stream, as an ASGI application.

    Parameters
    ----------
    directory:
        The snapshot's.
    copy:
        What the reader lacks now.
    slots:
        Given back at the end.
    leaving:
        Whether the server is about to stop.
    """

    def __init__(
        self, directory: Path, copy: SnapshotCopy, slots: Slots, leaving: Callable[[], bool]
    ) -> None:
        self._directory = directory
        self._source = copy.source
        self._version = copy.version if copy.length == 0 else copy.source.version
        self._first = copy
        self._slots = slots
        self._leaving = leaving

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the reader has gone, is stuck, or the server stops."""
        try:
            await send(
                {
                    "type": "http.response.start",
                    "status": 200,
                    "headers": [
                        (b"content-type", MEDIA_TYPE),
                        (b"cache-control", b"no-store"),
                        (b"x-accel-buffering", b"no"),
                    ],
                }
            )
            gone = asyncio.ensure_future(_until_gone(receive))
            try:
                with suppress(_ReaderLost):
                    await self._send_all(send, gone)
            finally:
                gone.cancel()
        finally:
            self._source.close()
            self._slots.give_back()

    async def _send_all(self, send: Send, gone: asyncio.Future[None]) -> None:
        at = self._first.delta_from
        if self._first.base_bytes:
            await self._send_base(send, gone)
        spoke = looked = time.monotonic()
        while not gone.done() and not self._leaving():
            now = time.monotonic()
            end = self._whole_until(at)
            if end > at:
                for piece in _pieces(at, end):
                    await _send(send, self._source.delta_part(*piece))
                at, spoke = end, now
            elif now - looked >= 4 * LOOK_SECONDS:
                looked = now
                if await self._newer(send, gone):
                    at, spoke = 0, time.monotonic()
                    continue
            if now - spoke >= HEARTBEAT_SECONDS:
                spoke = now
                version = self._version
                await _send(send, HEARTBEAT.pack(HEARTBEAT_MAGIC, version.epoch, version.number, 0))
            await asyncio.sleep(LOOK_SECONDS)

    def _whole_until(self, at: int) -> int:
        """Where the last whole frame ends."""
        end = at
        if self._source.delta_bytes > at:
            for header, after in self._source.frames(at):
                end = after
                self._version = Version(header.epoch, header.number)
        return end

    async def _newer(self, send: Send, gone: asyncio.Future[None]) -> bool:
        """Go on with a newer base, if there is one."""
        bases = bases_in(self._directory)
        if not bases or bases[0] <= self._version:
            return False
        source = open_newest(self._directory)
        if source is None:
            return False
        if source.version <= self._version:
            source.close()
            return False
        self._source.close()
        self._source, self._version = source, source.version
        await self._send_base(send, gone)
        return True

    async def _send_base(self, send: Send, gone: asyncio.Future[None]) -> None:
        source: OpenBase = self._source
        for at, length in _pieces(0, source.base_bytes):
            if gone.done():
                return
            # The disk may be slow; other readers' answers must not wait for it.
            await _send(send, await asyncio.to_thread(source.base_part, at, length))


def _pieces(at: int, end: int) -> Iterator[tuple[int, int]]:
    for start in range(at, end, CHUNK_BYTES):
        yield start, min(CHUNK_BYTES, end - start)


class _ReaderLost(Exception):
    """The reader takes nothing more; our own files are another matter."""


async def _send(send: Send, body: bytes) -> None:
    message = {"type": "http.response.body", "body": body, "more_body": True}
    try:
        await asyncio.wait_for(send(message), PATIENCE_SECONDS)
    # OSError: uvicorn says so where the reader has hung up in the middle of a piece.
    except (TimeoutError, OSError) as error:
        raise _ReaderLost from error


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
