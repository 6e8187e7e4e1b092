"""The current view as CSV that no spreadsheet can mistake for formulas."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

from console.book.columns import BY_KEY, Cell
from console.standings.row import Standing

#: Spreadsheets compute what begins so, also after white space.
_ACTIVE = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%", "＝", "＋", "－", "＠")

_PART_CHARACTERS = 1 << 16


def safe_cell(value: Cell) -> str:
    """A cell: numbers as they are, text with an apostrophe before it where it could be a formula.

    Examples
    --------
    >>> safe_cell("=1+1"), safe_cell(-0.5), safe_cell("Acme")
    ("'=1+1", '-0.5', 'Acme')
    """
    if value is None:
        return ""
    if isinstance(value, int | float):
        return repr(round(value, 6)) if isinstance(value, float) else str(value)
    text = value.replace("\x00", "")
    return (
        "'" + text if text.lstrip().startswith(_ACTIVE) or (text[:1] in "\t\r\n" and text) else text
    )


def csv_lines(rows: Iterable[Standing], keys: Sequence[str], now_us: int) -> Iterator[str]:
    """The header and a line for each row, each ending in CRLF (RFC 4180), in parts of many lines.

    The server hands each part to another thread and back, which costs more than making a line.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, quoting=csv.QUOTE_MINIMAL)
    columns = [BY_KEY[key] for key in keys]
    headed = False
    for row in rows:
        cells: dict[str, Cell] = {}
        for column in columns:
            cells |= column.cells(row, now_us)
        if not headed:
            writer.writerow(cells)
            headed = True
        writer.writerow([safe_cell(value) for value in cells.values()])
        if buffer.tell() >= _PART_CHARACTERS:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    if not headed:
        writer.writerow([column.key for column in columns])
    if buffer.tell():
        yield buffer.getvalue()
