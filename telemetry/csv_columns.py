"""CSV lines as columns of text. A broken line costs only itself: rows do not span lines."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from flyball.errors import InvalidInput
from telemetry.bad_line import BadLine
from telemetry.line_blocks import MAX_LINE_BYTES, LineBlock


@dataclass(frozen=True, slots=True)
class CsvShape:
    """What the first line says: the separator and the column names."""

    delimiter: str
    names: tuple[str, ...]


def read_header(line: bytes) -> CsvShape:
    """Read a CSV's first line.

    Raises
    ------
    InvalidInput
        Not UTF-8, no names, or a name twice (``code="bad_header"``).
    """
    try:
        text = line.decode("utf-8").rstrip("\r\n")
        delimiter = max(",;\t", key=text.count) if "," not in text else ","
        names = tuple(name.strip() for name in next(csv.reader([text], delimiter=delimiter)))
    except (UnicodeDecodeError, csv.Error, StopIteration) as error:
        raise _bad_header(f"The header cannot be read: {error}.") from error
    if not names or not all(names) or len(set(names)) != len(names):
        raise _bad_header("The header has an empty or repeated column name.")
    return CsvShape(delimiter, names)


def _bad_header(message: str) -> InvalidInput:
    return InvalidInput(
        message, "The first line of a CSV file names its columns.", field="", code="bad_header"
    )


def csv_table(block: LineBlock, shape: CsvShape) -> tuple[Any, list[BadLine]]:
    """Lines of ``block`` as a pyarrow table of text columns plus ``line``, and the broken ones."""
    if _is_plain(block.data):
        try:
            return _fast(block, shape)
        except pa.ArrowInvalid:
            pass  # a line that is not UTF-8, say: find out which
    return _careful(block, shape)


def _is_plain(data: bytes) -> bool:
    """Whether every line is a row that needs no unquoting: no quotes, bare CRs or empty lines."""
    return (
        data != b""
        and b'"' not in data
        and data.count(b"\r") == data.count(b"\r\n")
        and not data.startswith((b"\n", b"\r\n"))
        and b"\n\n" not in data
        and b"\n\r\n" not in data
    )


def _fast(block: LineBlock, shape: CsvShape) -> tuple[Any, list[BadLine]]:
    bad: list[tuple[int, Any]] = []

    def skip(row: Any) -> str:
        bad.append((row.number, row))
        return "skip"

    table = pa_csv.read_csv(
        pa.BufferReader(block.data),
        read_options=pa_csv.ReadOptions(
            column_names=list(shape.names), use_threads=False, block_size=len(block.data) + 1
        ),
        parse_options=pa_csv.ParseOptions(
            delimiter=shape.delimiter,
            quote_char=False,
            ignore_empty_lines=False,
            invalid_row_handler=skip,
        ),
        convert_options=pa_csv.ConvertOptions(
            column_types=dict.fromkeys(shape.names, pa.string()), strings_can_be_null=False
        ),
    )
    numbers = [number for number, _ in bad]
    count = block.data.count(b"\n")
    if len(numbers) + table.num_rows != count or None in numbers:
        raise pa.ArrowInvalid("lines and rows differ")
    lines = pa.array(range(1, count + 1), type=pa.int64())
    if numbers:
        lines = lines.filter(pc.invert(pc.is_in(lines, pa.array(numbers, type=pa.int64()))))
    lines = pc.add(lines, block.first_line - 1)
    broken = [
        _wrong_width(block.first_line + number - 1, row.text, row.actual_columns, shape)
        for number, row in bad
    ]
    return table.append_column("line", lines), broken


def _careful(block: LineBlock, shape: CsvShape) -> tuple[Any, list[BadLine]]:
    rows: list[Sequence[str]] = []
    lines: list[int] = []
    bad: list[BadLine] = []
    for number, raw in enumerate(block.data.split(b"\n")[:-1], start=block.first_line):
        if not raw.strip():
            continue
        read = _row(number, raw, shape)
        if isinstance(read, BadLine):
            bad.append(read)
        else:
            rows.append(read)
            lines.append(number)
    columns = list(zip(*rows, strict=True)) or [()] * len(shape.names)
    table = pa.table(
        {
            name: pa.array(column, type=pa.string())
            for name, column in zip(shape.names, columns, strict=True)
        }
    )
    return table.append_column("line", pa.array(lines, type=pa.int64())), bad


def _row(number: int, raw: bytes, shape: CsvShape) -> Sequence[str] | BadLine:
    try:
        if len(raw) > MAX_LINE_BYTES:
            raise ValueError("it is too long")
        text = raw.decode("utf-8").removesuffix("\r")
        read = next(csv.reader([text], delimiter=shape.delimiter, strict=True))
    except (UnicodeDecodeError, ValueError, csv.Error, StopIteration) as error:
        return BadLine(number, "bad_line", f"The line is not CSV: {error}.", _shown(raw))
    if len(read) != len(shape.names):
        return _wrong_width(number, text, len(read), shape)
    return read


def _wrong_width(number: int, text: str, columns: int, shape: CsvShape) -> BadLine:
    reason = f"The line has {columns} columns, the header {len(shape.names)}."
    return BadLine(number, "bad_line", reason, text[:200])


def _shown(raw: bytes) -> str:
    return raw[:200].decode("utf-8", "replace")
