"""A stream ends quietly where its reader has gone, and loudly where our own files fail."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from serving.rest.snapshot_stream import SnapshotStream
from serving.snapshot.entry import Entry
from serving.snapshot.transfer import copy_snapshot
from serving.snapshot.writer import SnapshotWriter
from serving.stream_slots import Slots


class Reader:
    """Takes pieces until it hangs up."""

    def __init__(self, *, takes: int) -> None:
        self.takes = takes
        self.pieces: list[bytes] = []

    async def receive(self) -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError("it never says that it has gone")

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.body":
            if len(self.pieces) >= self.takes:
                raise OSError("the reader has hung up")
            self.pieces.append(message["body"])


@pytest.fixture
def stream(
    directory: Path, writer: SnapshotWriter, entry: Callable[..., Entry], now_us: int
) -> tuple[SnapshotStream, Slots]:
    writer.publish_all([entry()], aliases={}, created_us=now_us, as_of_us=now_us)
    copy = copy_snapshot(directory)
    assert copy is not None
    slots = Slots(1)
    assert slots.take()
    return SnapshotStream(directory, copy, slots, lambda: False), slots


def test_a_reader_that_hangs_up_ends_it_quietly(stream: tuple[SnapshotStream, Slots]) -> None:
    sending, slots = stream
    reader = Reader(takes=0)
    asyncio.run(sending({}, reader.receive, reader.send))
    assert slots.take()


def test_a_disk_that_cannot_be_read_is_told_to_the_server(
    stream: tuple[SnapshotStream, Slots], monkeypatch: pytest.MonkeyPatch
) -> None:
    sending, slots = stream
    reader = Reader(takes=1_000)

    def broken(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("serving.snapshot.transfer.OpenBase.base_part", broken)
    with pytest.raises(OSError, match="Input/output"):
        asyncio.run(sending({}, reader.receive, reader.send))
    assert slots.take()
