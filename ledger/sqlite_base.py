"""What every part of the SQLite ledger stands on: the file, chunks and name lists."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

import msgspec

from ledger.sqlite_connection import SqliteFile

#: Records per transaction of a bulk import: one fsync each, and little to redo after a kill.
CHUNK = 20_000

_Item = TypeVar("_Item")


class SqlitePart:
    """One noun's methods over a shared :class:`SqliteFile`."""

    def __init__(self, file: SqliteFile) -> None:
        self.file = file


def chunks(items: Iterable[_Item], size: int = CHUNK) -> Iterator[list[tuple[int, _Item]]]:
    """Lists of ``(index, item)``, at most ``size`` long."""
    numbered = enumerate(items)
    while chunk := list(islice(numbered, size)):
        yield chunk


def name_list(names: Iterable[str]) -> str:
    """Names as one binding for ``IN (SELECT value FROM json_each(?))``."""
    return msgspec.json.encode(sorted(set(names))).decode()


def among(column: str, names: Collection[str] | None) -> tuple[str, tuple[Any, ...]]:
    """An SQL condition that ``column`` is one of ``names`` (all if None), and its bindings."""
    if names is None:
        return "1", ()
    return f"{column} IN (SELECT value FROM json_each(?))", (name_list(names),)
