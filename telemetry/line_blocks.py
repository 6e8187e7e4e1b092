"""A text file as blocks of whole lines, in bounded memory whatever the file holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from telemetry.bad_line import BadLine

BLOCK_BYTES = 16 * 1024 * 1024

#: A longer line is no row of ours; it is skipped and named.
MAX_LINE_BYTES = 1024 * 1024

_BOM = b"\xef\xbb\xbf"


class LineBlock(NamedTuple):
    """Whole lines: ``data`` ends with a newline, its first line has number ``first_line``."""

    data: bytes
    first_line: int
    end_offset: int
    too_long: tuple[BadLine, ...] = ()


def read_blocks(path: Path, *, block_bytes: int = BLOCK_BYTES) -> Iterator[LineBlock]:
    """Blocks of ``path`` in order; every line is in exactly one block, or named as too long.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    with path.open("rb") as stream:
        if stream.read(3) != _BOM:
            stream.seek(0)
        yield from _blocks(stream, block_bytes)


def _blocks(stream: BinaryIO, block_bytes: int) -> Iterator[LineBlock]:
    rest, line = b"", 1
    while True:
        more = stream.read(block_bytes)
        data = rest + more
        if not more:
            if data:
                yield LineBlock(data + b"\n", line, stream.tell())
            return
        cut = data.rfind(b"\n") + 1
        if cut:
            block, rest = data[:cut], data[cut:]
            yield LineBlock(block, line, stream.tell() - len(rest))
            line += block.count(b"\n")
        else:
            rest = data
        if len(rest) > MAX_LINE_BYTES:
            rest = _skip_line(stream, block_bytes)
            bad = BadLine(line, "line_too_long", f"The line is longer than {MAX_LINE_BYTES} bytes.")
            yield LineBlock(b"", line, stream.tell(), (bad,))
            line += 1


def _skip_line(stream: BinaryIO, block_bytes: int) -> bytes:
    """Read past the end of the line; what follows it."""
    while chunk := stream.read(block_bytes):
        _, newline, rest = chunk.partition(b"\n")
        if newline:
            return rest
    return b""
