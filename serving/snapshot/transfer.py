"""The snapshot as bytes for another node: one base, then whole delta frames; or these alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from flyball.errors import BundleCorrupt
from serving.snapshot.layout import FRAME_HEADER_BYTES, FrameHeader, unpack_frame_header
from serving.snapshot.version import Version, base_name, bases_in, delta_path

CHUNK_BYTES = 1 << 18
_ATTEMPTS = 3


class OpenBase:
    """A base and its delta, held open, so that they stay readable after a newer base has come.

    Raises
    ------
    FileNotFoundError
        It has been removed already.
    """

    def __init__(self, directory: Path, version: Version) -> None:
        path = directory / base_name(version)
        self.version = version
        self._base = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._delta = os.open(delta_path(path), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            os.close(self._base)
            raise
        self.base_bytes = os.fstat(self._base).st_size

    def close(self) -> None:
        """Let go of the files."""
        os.close(self._base)
        os.close(self._delta)

    @property
    def delta_bytes(self) -> int:
        """How long the delta is now; its last frame may be half written."""
        return os.fstat(self._delta).st_size

    def base_part(self, at: int, length: int = CHUNK_BYTES) -> bytes:
        """Bytes of the base."""
        return os.pread(self._base, min(length, self.base_bytes - at), at)

    def delta_part(self, at: int, length: int = CHUNK_BYTES) -> bytes:
        """Bytes of the delta."""
        return os.pread(self._delta, length, at)

    def frames(self, at: int = 0) -> Iterator[tuple[FrameHeader, int]]:
        """Header and end of each whole frame from offset ``at`` on; signatures are not checked."""
        size = self.delta_bytes
        while at + FRAME_HEADER_BYTES <= size:
            try:
                header = unpack_frame_header(os.pread(self._delta, FRAME_HEADER_BYTES, at))
            except BundleCorrupt:
                return
            at += FRAME_HEADER_BYTES + header.body_bytes
            if at > size:
                return
            yield header, at


def open_newest(directory: Path) -> OpenBase | None:
    """The newest base of ``directory``; None while there is none."""
    for _ in range(_ATTEMPTS):
        for version in bases_in(directory):
            try:
                return OpenBase(directory, version)
            except FileNotFoundError:
                # A newer one has come since the directory was listed.
                continue
    return None


@dataclass(frozen=True, slots=True)
class SnapshotCopy:
    """What one answer carries: ``base_bytes`` of base (0 or all of it), then frames.

    Both parts carry their own signatures, so whoever gets the bytes can check them. Read it with
    :meth:`chunks`, which lets go of the files.
    """

    source: OpenBase
    version: Version
    base_bytes: int
    delta_from: int
    delta_to: int

    @property
    def etag(self) -> str:
        """The version as an HTTP entity tag (quoted)."""
        return f'"{self.version}"'

    @property
    def length(self) -> int:
        """How many bytes there are in all."""
        return self.base_bytes + self.delta_to - self.delta_from

    def chunks(self) -> Iterator[bytes]:
        """The bytes, a bounded piece at a time."""
        try:
            at = 0
            while at < self.base_bytes:
                part = self.source.base_part(at)
                at += len(part)
                yield part
            at = self.delta_from
            while at < self.delta_to:
                part = self.source.delta_part(at, min(CHUNK_BYTES, self.delta_to - at))
                at += len(part)
                yield part
        finally:
            self.source.close()


def copy_snapshot(directory: Path, since: Version | None = None) -> SnapshotCopy | None:
    """The current snapshot of ``directory``; None while there is none.

    With ``since`` only the frames after that version, if the current base or one of its frames is
    that version; else everything.
    """
    source = open_newest(directory)
    if source is None:
        return None
    version, end = source.version, 0
    start = 0 if since == version else None
    for header, end in source.frames():
        version = Version(header.epoch, header.number)
        if since == version:
            start = end
    if start is None:
        return SnapshotCopy(source, version, source.base_bytes, 0, end)
    return SnapshotCopy(source, version, 0, start, end)
