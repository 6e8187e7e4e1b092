"""Rows of an import directory's small tables, whichever of the three formats they come in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from flyball.errors import InvalidInput
from telemetry.bad_line import BadLine
from telemetry.csv_columns import csv_table, read_header
from telemetry.line_blocks import MAX_LINE_BYTES, LineBlock, read_blocks
from telemetry.usage_source import SUFFIXES, unreadable

_BLOCK_BYTES = 1024 * 1024
_BATCH_ROWS = 8_192


class Row(NamedTuple):
    """One row: its line (Parquet: row number), counted from 1, and its values by column."""

    line: int
    values: Mapping[str, object]


def table_files(directory: Path, name: str) -> list[Path]:
    """Files of table ``name``: ``name.csv`` and the like, ``name-*``, ``name_*``, by name."""
    found = [*directory.glob(f"{name}.*"), *directory.glob(f"{name}[-_]*")]
    return sorted(path for path in found if path.suffix in SUFFIXES and path.is_file())


def read_rows(path: Path) -> Iterator[Row | BadLine]:
    """Rows of a table in order; a line that cannot be read comes as a :class:`BadLine`.

    Raises
    ------
    InvalidInput
        The file as a whole cannot be read.
    """
    readers = {".parquet": _parquet, ".csv": _csv}
    try:
        yield from readers.get(path.suffix, _ndjson)(path)
    except OSError as error:
        raise unreadable(str(error.strerror or error)) from error


def read_document(path: Path) -> Any:
    """The content of a JSON file such as ``plans.json``.

    Raises
    ------
    InvalidInput
        It is not there, or not JSON.
    """
    try:
        return msgspec.json.decode(path.read_bytes())
    except OSError as error:
        raise unreadable(str(error.strerror or error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(
            f"{path.name} is not valid JSON: {error}.", "Correct it.", code="bad_json"
        ) from error


def _parquet(path: Path) -> Iterator[Row | BadLine]:
    line = 0
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_BATCH_ROWS):
                for values in batch.to_pylist():
                    line += 1
                    yield Row(line, values)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise unreadable(f"after row {line}: {error}") from error


def _csv(path: Path) -> Iterator[Row | BadLine]:
    shape = None
    for block in read_blocks(path, block_bytes=_BLOCK_BYTES):
        lines = block
        if shape is None:
            header, _, data = block.data.partition(b"\n")
            shape = read_header(header)
            lines = LineBlock(data, block.first_line + 1, block.end_offset, block.too_long)
        table, bad = csv_table(lines, shape)
        rows: list[Row | BadLine] = [*bad, *lines.too_long]
        for values in table.to_pylist():
            rows.append(Row(values.pop("line"), values))
        yield from sorted(rows, key=lambda row: row.line)


def _ndjson(path: Path) -> Iterator[Row | BadLine]:
    for block in read_blocks(path, block_bytes=_BLOCK_BYTES):
        yield from block.too_long
        for number, raw in enumerate(block.data.split(b"\n")[:-1], start=block.first_line):
            if raw.strip():
                yield _object(number, raw)


def _object(number: int, raw: bytes) -> Row | BadLine:
    try:
        if len(raw) > MAX_LINE_BYTES:
            raise msgspec.DecodeError("the line is too long")
        return Row(number, msgspec.json.decode(raw, type=dict[str, Any]))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        shown = raw[:200].decode("utf-8", "replace")
        return BadLine(number, "bad_line", f"The line is not a JSON object: {error}.", shown)
