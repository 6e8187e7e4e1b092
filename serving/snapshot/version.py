"""Which version of the snapshot this is, and how its files are named."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from flyball.errors import InvalidInput

_BASE_NAME = re.compile(r"snapshot-(\d{10})-(\d{10})\.fbs", re.ASCII)
#: How bases were named before versions had a publisher's epoch (format 1).
_OLD_NAME = re.compile(r"snapshot-(\d{10})\.fb[sd]", re.ASCII)
_TEXT = re.compile(r"(\d{1,10})\.(\d{1,10})", re.ASCII)
_MOST = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """The epoch of a publisher's lease, and how often it has published under it.

    Examples
    --------
    >>> str(Version(3, 12)), Version(3, 12) < Version(4, 0)
    ('3.12', True)
    """

    epoch: int
    number: int

    def __str__(self) -> str:
        return f"{self.epoch}.{self.number}"


def parse_version(text: str) -> Version:
    """Read ``EPOCH.NUMBER``.

    Raises
    ------
    InvalidInput
        It is something else.
    """
    match = _TEXT.fullmatch(text)
    if match is None or max(int(match[1]), int(match[2])) > _MOST:
        raise InvalidInput(
            f"since {text[:32]!r} is not a version.",
            "Write it as the ETag has it, without quotes: EPOCH.NUMBER, such as 12.7.",
            field="since",
        )
    return Version(int(match[1]), int(match[2]))


def base_name(version: Version) -> str:
    """File name of the base of a version."""
    return f"snapshot-{version.epoch:010d}-{version.number:010d}.fbs"


def delta_path(base: Path) -> Path:
    """The delta file beside a base file."""
    return base.with_suffix(".fbd")


def version_of(name: str) -> Version | None:
    """Version of a base file's name; None for any other name (path parts included)."""
    match = _BASE_NAME.fullmatch(name)
    return Version(int(match[1]), int(match[2])) if match else None


def bases_in(directory: Path) -> list[Version]:
    """Versions of the bases in ``directory``, the highest first; empty where there is none."""
    try:
        names = os.listdir(directory)
    except OSError:
        return []
    return sorted(filter(None, map(version_of, names)), reverse=True)


def old_files_in(directory: Path) -> dict[Path, int]:
    """Files of format 1 and their epochs."""
    try:
        names = os.listdir(directory)
    except OSError:
        return {}
    matches = ((name, _OLD_NAME.fullmatch(name)) for name in names)
    return {directory / name: int(match[1]) for name, match in matches if match}


def newest_epoch(directory: Path) -> int:
    """The largest epoch that any file in ``directory`` carries; 0 without one."""
    epochs = [version.epoch for version in bases_in(directory)]
    return max((*epochs, *old_files_in(directory).values()), default=0)
