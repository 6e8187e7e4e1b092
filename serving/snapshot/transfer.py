"""The snapshot as bytes for another node: one base file, then the whole delta frames after it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flyball.errors import BundleCorrupt
from serving.snapshot.frame import frame_length
from serving.snapshot.version import Version, base_name, delta_path, pointed_epoch

_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class SnapshotCopy:
    """``content`` is the base (its first ``base_bytes`` bytes) followed by delta frames.

    Both parts carry their own signatures, so whoever gets the bytes can check them.
    """

    version: Version
    base_bytes: int
    content: bytes

    @property
    def etag(self) -> str:
        """The version as an HTTP entity tag (quoted)."""
        return f'"{self.version}"'


def _whole_frames(raw: bytes) -> tuple[int, int]:
    """How many whole frames ``raw`` begins with, and their length in bytes."""
    count = at = 0
    while True:
        try:
            length = frame_length(raw[at : at + 4096])
        except BundleCorrupt:
            return count, at
        if length is None or at + length > len(raw):
            return count, at
        count, at = count + 1, at + length


def copy_snapshot(directory: Path) -> SnapshotCopy | None:
    """The current snapshot of ``directory``; None while there is none.

    A new base may replace the files between two reads; then the newer one is read.
    """
    for _ in range(_ATTEMPTS):
        epoch = pointed_epoch(directory)
        if epoch is None:
            return None
        path = directory / base_name(epoch)
        try:
            base = path.read_bytes()
            deltas = delta_path(path).read_bytes()
        except FileNotFoundError:
            continue
        count, length = _whole_frames(deltas)
        return SnapshotCopy(Version(epoch, count), len(base), base + deltas[:length])
    return None
