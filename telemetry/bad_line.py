"""A line or file that cannot be read, told from one whose values are wrong."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BadLine:
    """Why a line is no row. ``line`` counts from 1 (0: the file as a whole); ``count`` rows."""

    line: int
    code: str
    reason: str
    text: str = ""
    count: int = 1
