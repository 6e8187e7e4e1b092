"""NDJSON lines of usage as columns of text. A broken line costs only itself."""

from __future__ import annotations

from typing import Any

import msgspec
import pyarrow as pa

from telemetry.bad_line import BadLine
from telemetry.line_blocks import MAX_LINE_BYTES, LineBlock
from telemetry.usage_columns import OPTIONAL, REQUIRED

NAMES = (*REQUIRED, *OPTIONAL)


class _Usage(msgspec.Struct):
    id: str | int
    tenant_id: str | int
    time: str
    meter: str
    quantity: float | int | str
    source: str | None = None
    endpoint: str | None = None
    ingested_at: str | None = None


_decoder = msgspec.json.Decoder(_Usage)

#: Which code a value of the wrong type gets.
_CODES = {
    "id": "bad_identifier",
    "tenant_id": "bad_identifier",
    "source": "bad_identifier",
    "time": "bad_time",
    "ingested_at": "bad_time",
    "quantity": "bad_quantity",
    "meter": "unknown_meter",
    "endpoint": "bad_endpoint",
}


def ndjson_table(block: LineBlock) -> tuple[Any, list[BadLine]]:
    """Lines of ``block`` as a pyarrow table of text columns plus ``line``, and the broken ones."""
    rows: list[tuple[Any, ...]] = []
    bad: list[BadLine] = []
    decode = _decoder.decode
    for number, raw in enumerate(block.data.split(b"\n")[:-1], start=block.first_line):
        if not raw or raw.isspace():
            continue
        try:
            if len(raw) > MAX_LINE_BYTES:
                raise msgspec.DecodeError("the line is too long")
            row = decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            bad.append(_bad(number, raw, error))
            continue
        rows.append(
            (
                number,
                str(row.id),
                str(row.tenant_id),
                row.time,
                row.meter,
                str(row.quantity),
                row.source,
                row.endpoint,
                row.ingested_at,
            )
        )
    columns = list(zip(*rows, strict=True)) or [()] * (len(NAMES) + 1)
    arrays = [pa.array(columns[0], type=pa.int64())]
    try:
        arrays += [pa.array(column, type=pa.string()) for column in columns[1:]]
    except UnicodeEncodeError:  # a lone surrogate written as \ud800
        return _without_surrogates(rows, bad)
    return pa.table(arrays, names=["line", *NAMES]), bad


def _without_surrogates(
    rows: list[tuple[Any, ...]], bad: list[BadLine]
) -> tuple[Any, list[BadLine]]:
    kept: list[tuple[Any, ...]] = []
    for row in rows:
        try:
            "".join(value for value in row[1:] if value).encode()
            kept.append(row)
        except UnicodeEncodeError:
            bad.append(BadLine(row[0], "bad_line", "The line has half a character (surrogate)."))
    columns = list(zip(*kept, strict=True)) or [()] * (len(NAMES) + 1)
    arrays = [pa.array(columns[0], type=pa.int64())]
    arrays += [pa.array(column, type=pa.string()) for column in columns[1:]]
    return pa.table(arrays, names=["line", *NAMES]), bad


def _bad(number: int, raw: bytes, error: Exception) -> BadLine:
    shown = raw[:200].decode("utf-8", "replace")
    code = "bad_line"
    if isinstance(error, msgspec.ValidationError):
        message = str(error)
        named = message.partition("$.")[2].rstrip("`")
        code = _CODES.get(named, "missing_field" if "missing" in message else "bad_line")
    return BadLine(number, code, f"The line is not a usage row: {error}.", shown)
