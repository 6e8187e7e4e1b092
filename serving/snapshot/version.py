"""Which version of the snapshot this is, and how its files are named."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

POINTER = "current"
_BASE_NAME = re.compile(r"snapshot-(\d{10})\.fbs", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """A base file's epoch, and how many delta frames have been added to it.

    Examples
    --------
    >>> str(Version(3, 12)), Version(3, 12) < Version(4, 0)
    ('3.12', True)
    """

    epoch: int
    number: int

    def __str__(self) -> str:
        return f"{self.epoch}.{self.number}"


def base_name(epoch: int) -> str:
    """File name of the base of an epoch."""
    return f"snapshot-{epoch:010d}.fbs"


def delta_path(base: Path) -> Path:
    """The delta file beside a base file."""
    return base.with_suffix(".fbd")


def epoch_of(name: str) -> int | None:
    """Epoch of a base file's name; None for any other name (path parts included)."""
    match = _BASE_NAME.fullmatch(name)
    return int(match[1]) if match else None


def pointed_epoch(directory: Path) -> int | None:
    """The epoch that the pointer names; None without a usable pointer."""
    try:
        handle = os.open(directory / POINTER, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        text = os.read(handle, 64)
    except OSError:
        return None
    finally:
        os.close(handle)
    return epoch_of(text.decode("ascii", "replace").strip())
