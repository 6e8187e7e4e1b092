"""Usage files of an import directory as blocks that DuckDB can read, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from flyball.errors import InvalidInput
from telemetry.bad_line import BadLine
from telemetry.csv_columns import csv_table, read_header
from telemetry.line_blocks import LineBlock, read_blocks
from telemetry.ndjson_columns import NAMES, ndjson_table
from telemetry.parquet_file import quoted
from telemetry.usage_columns import OPTIONAL, REQUIRED, missing_columns

SUFFIXES = (".parquet", ".csv", ".ndjson", ".jsonl")

#: Rows of a Parquet file read at a time (whole row groups).
PARQUET_ROWS = 1_000_000


@dataclass(slots=True)
class Block:
    """Some rows of one file: ``relation`` is SQL with ``line`` and ``columns``.

    ``table`` is to be registered as ``block_input`` where the SQL reads it. ``done`` is the share
    of the file read up to the block's end. ``split`` are the smaller blocks to try instead when
    the relation cannot be read.
    """

    relation: str
    columns: dict[str, str]
    row_count: int
    done: float
    bad: list[BadLine] = field(default_factory=list)
    table: Any = None
    split: Sequence[Block] = ()
    first_line: int = 1


def usage_files(directory: Path) -> list[Path]:
    """``usage*`` files of an import directory and everything in its ``usage/``, by name."""
    found = [path for path in directory.glob("usage*") if path.is_file()]
    found += [path for path in (directory / "usage").rglob("*") if path.is_file()]
    return sorted(path for path in found if path.suffix in SUFFIXES)


def read_file(path: Path) -> Iterator[Block]:
    """Blocks of one usage file.

    Raises
    ------
    InvalidInput
        The file as a whole cannot be read (``code`` says why); blocks before it stay good.
    """
    readers = {".parquet": _parquet, ".csv": _csv}
    try:
        yield from readers.get(path.suffix, _ndjson)(path)
    except OSError as error:
        raise unreadable(str(error.strerror or error)) from error


def unreadable(reason: str) -> InvalidInput:
    """The reject of a file or a part of one that cannot be read at all."""
    return InvalidInput(
        f"It cannot be read: {reason.splitlines()[0][:200]}.",
        "Write the file again, or leave it out.",
        code="unreadable",
    )


def _parquet(path: Path) -> Iterator[Block]:
    try:
        metadata = pq.read_metadata(path)
        described = _described(path)
    except (pa.ArrowException, duckdb.Error) as error:
        raise unreadable(str(error)) from error
    columns = {name: kind for name, kind in described.items() if name in (*REQUIRED, *OPTIONAL)}
    problem = missing_columns(columns)
    if problem is not None:
        raise problem
    sizes = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    groups = _groups(sizes)
    for start, group in groups:
        rows = sum(group)
        done = (start + rows) / max(1, metadata.num_rows)
        pieces: list[Block] = []
        first = start
        for size in group if len(group) > 1 else ():
            pieces.append(_parquet_block(path, columns, first, size, done))
            first += size
        block = _parquet_block(path, columns, start, rows, done)
        block.split = pieces
        yield block


def _parquet_block(
    path: Path, columns: dict[str, str], start: int, rows: int, done: float
) -> Block:
    listed = ", ".join(f'"{name}"' for name in columns)
    relation = (
        f"SELECT file_row_number + 1 AS line, {listed}"
        f" FROM read_parquet({quoted(str(path))}, file_row_number = true,"
        f" hive_partitioning = false)"
        f" WHERE file_row_number >= {start} AND file_row_number < {start + rows}"
    )
    return Block(relation, columns, rows, done, first_line=start + 1)


def _described(path: Path) -> dict[str, str]:
    connection = duckdb.connect()
    try:
        rows = connection.execute(
            f"DESCRIBE SELECT * FROM read_parquet({quoted(str(path))}, hive_partitioning = false)"
        ).fetchall()
    finally:
        connection.close()
    return {row[0]: row[1] for row in rows}


def _groups(sizes: Sequence[int]) -> list[tuple[int, list[int]]]:
    """Row groups in runs of at most ``PARQUET_ROWS``: (first row, sizes)."""
    runs: list[tuple[int, list[int]]] = []
    start = 0
    for size in sizes:
        if runs and sum(runs[-1][1]) + size <= PARQUET_ROWS:
            runs[-1][1].append(size)
        else:
            runs.append((start, [size]))
        start += size
    return runs


def _csv(path: Path) -> Iterator[Block]:
    shape = None
    for block in read_blocks(path):
        data, first_line = block.data, block.first_line
        if shape is None:
            if not data:
                raise unreadable("the first line is too long")
            header, _, data = data.partition(b"\n")
            shape = read_header(header)
            first_line += 1
            problem = missing_columns(shape.names)
            if problem is not None:
                raise problem
        lines = LineBlock(data, first_line, block.end_offset, block.too_long)
        table, bad = csv_table(lines, shape)
        wanted = [name for name in shape.names if name in (*REQUIRED, *OPTIONAL)]
        yield _text_block(path, table.select(["line", *wanted]), bad, lines)
    if shape is None:
        raise _empty()


def _ndjson(path: Path) -> Iterator[Block]:
    seen = False
    for block in read_blocks(path):
        seen = True
        table, bad = ndjson_table(block)
        yield _text_block(path, table.select(["line", *NAMES]), bad, block)
    if not seen:
        raise _empty()


def _empty() -> InvalidInput:
    return InvalidInput("The file is empty.", "Leave it out or fill it.", code="empty_file")


def _text_block(path: Path, table: Any, bad: list[BadLine], block: LineBlock) -> Block:
    columns = {name: "VARCHAR" for name in table.column_names if name != "line"}
    size = max(1, path.stat().st_size)
    return Block(
        relation="SELECT * FROM block_input",
        columns=columns,
        row_count=table.num_rows,
        done=min(1.0, block.end_offset / size),
        bad=[*bad, *block.too_long],
        table=table,
        first_line=block.first_line,
    )
