"""Rows that an import refused: one JSON object a line, on disk before the import says so."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import msgspec

from telemetry.database import storage_errors

_encode = msgspec.json.Encoder().encode

#: Longest text kept of one value of a refused row.
MAX_SHOWN_CHARS = 200


class RejectsFile:
    """``rejects/<import>.ndjson``; it exists only once something was refused.

    Each line has ``file``, ``line`` (from 1; 0: the file as a whole), ``code``, ``reason`` and
    ``row`` (what was there, each value cut to 200 characters).
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stream: BinaryIO | None = None

    @property
    def path(self) -> Path | None:
        """Where the rejects are; None while there are none."""
        return None if self._stream is None else self._path

    def add(self, file: str, line: int, code: str, reason: str, row: object) -> None:
        """Append one refused row.

        Raises
        ------
        StorageError
            It could not be written.
        """
        entry = {"file": file, "line": line, "code": code, "reason": reason, "row": _shown(row)}
        with storage_errors(self._path):
            if self._stream is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._stream = self._path.open("ab")
            self._stream.write(_encode(entry) + b"\n")

    def sync(self) -> None:
        """Make what was added durable."""
        if self._stream is not None:
            with storage_errors(self._path):
                self._stream.flush()
                os.fsync(self._stream.fileno())

    def close(self) -> None:
        """Finish writing."""
        self.sync()
        if self._stream is not None:
            self._stream.close()


def _shown(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key)[:64]: _shown(entry) for key, entry in list(value.items())[:64]}
    if value is None or isinstance(value, bool | int | float):
        return value if not isinstance(value, int) or abs(value) < 2**63 else str(value)[:64]
    # Lone surrogates cannot be written as UTF-8; what is shown must never stop the import.
    return str(value)[:MAX_SHOWN_CHARS].encode("utf-8", "replace").decode()
