"""Parquet files that are either whole and on disk, or not there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from telemetry.database import storage_errors

_OPTIONS = {"compression": "zstd", "compression_level": 1, "row_group_size": 122_880}


def write_parquet(table: Any, path: Path, **options: Any) -> None:
    """Write a pyarrow ``table`` to ``path``: temporary file, flush to disk, rename.

    The directory is not flushed; call :func:`sync_directories` once after several files.
    ``options`` go to ``pyarrow.parquet.write_table``; zstd is the default.

    Raises
    ------
    StorageError
        Or the subclass that fits; nothing is left at ``path``.
    """
    # Loaded here: servers that only name files do without it.
    import pyarrow.parquet as pq

    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
        try:
            pq.write_table(table, draft, **(_OPTIONS | options))
            settle(draft, path)
        finally:
            draft.unlink(missing_ok=True)


def settle(draft: Path, path: Path) -> None:
    """Flush ``draft`` to disk and give it its name."""
    descriptor = os.open(draft, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    draft.replace(path)


def sync_directories(paths: Iterable[Path]) -> None:
    """Flush directories, so that names written in them survive a power cut."""
    for path in sorted(set(paths)):
        with storage_errors(path):
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def quoted(text: str) -> str:
    """``text`` as an SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def parquet_relation(paths: Sequence[Path], columns: str, empty: str) -> str:
    """SQL that reads ``columns`` of the files; the typed ``empty`` relation if there are none."""
    if not paths:
        return empty
    listing = ", ".join(quoted(str(path)) for path in paths)
    return f"SELECT {columns} FROM read_parquet([{listing}], hive_partitioning = false)"
