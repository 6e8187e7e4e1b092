"""A copy of another node's snapshot: verified unit by unit, kept on disk, never taken back."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import BinaryIO

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from flyball.errors import BundleCorrupt, BundleOutdated, SignatureInvalid
from serving.snapshot.disk import (
    append_at,
    remove_before,
    storage_errors,
    sync_directory,
    write_whole,
)
from serving.snapshot.frame import open_frame
from serving.snapshot.layout import (
    BASE_HEADER_BYTES,
    BASE_MAGIC,
    FRAME_HEADER_BYTES,
    FRAME_MAGIC,
    HEARTBEAT,
    HEARTBEAT_MAGIC,
    BaseHeader,
    base_signed_bytes,
    frame_signed_bytes,
    unpack_base_header,
    unpack_frame_header,
)
from serving.snapshot.reader import SnapshotReader
from serving.snapshot.version import Version, base_name, delta_path

_PART = ".incoming.part"


class SnapshotMirror:
    """Takes the bytes of a snapshot, or of a stream of it, and keeps them as files.

    Parameters
    ----------
    directory:
        Where to keep them. What is there already is where it goes on from.
    key:
        The public key of the home that publishes.

    Not thread-safe; a :class:`~serving.snapshot.reader.SnapshotReader` on the same directory may
    read at any time, in any process.
    """

    def __init__(self, directory: Path, key: Ed25519PublicKey) -> None:
        self._directory = directory
        self._key = key
        self._base: Version | None = None
        self._digest = b""
        self._version: Version | None = None
        self._delta_bytes = 0
        self._buffer = bytearray()
        self._incoming: _IncomingBase | None = None
        #: What the other node said it has, in its last heartbeat.
        self.upstream_version: Version | None = None
        self._resume()

    @property
    def version(self) -> Version | None:
        """The last version that is whole, verified and on disk; None before the first."""
        return self._version

    def take(self, chunk: bytes) -> int:
        """Take in more bytes; how many bases and frames became whole with them.

        Raises
        ------
        BundleError
            Something that is not signed, altered, not newer, or that does not follow. Nothing of
            it was kept; call :meth:`reset` and ask anew.
        StorageError
            It cannot be written.
        """
        self._buffer += chunk
        taken = 0
        while True:
            if self._incoming is not None:
                if not self._feed_base(self._incoming):
                    return taken
                taken += 1
            kind = bytes(self._buffer[:4])
            if len(kind) < 4:
                return taken
            if kind == HEARTBEAT_MAGIC:
                if len(self._buffer) < HEARTBEAT.size:
                    return taken
                _, epoch, number, _ = HEARTBEAT.unpack_from(self._buffer)
                self.upstream_version = Version(epoch, number)
                del self._buffer[: HEARTBEAT.size]
            elif kind == FRAME_MAGIC:
                length = self._frame_length()
                if length is None or len(self._buffer) < length:
                    return taken
                taken += self._take_frame(length)
            elif BASE_MAGIC.startswith(kind):
                if len(self._buffer) < BASE_HEADER_BYTES:
                    return taken
                self._begin_base()
            else:
                raise BundleCorrupt(
                    "What came is neither a snapshot nor a delta frame.",
                    "Check that the address is Flyball's, of the same version.",
                )

    def reset(self) -> None:
        """Forget what is not whole."""
        self._buffer.clear()
        if self._incoming is not None:
            self._incoming.drop()
            self._incoming = None

    def _resume(self) -> None:
        reader = SnapshotReader(self._directory, self._key)
        reader.refresh()
        held = reader.standing
        if held is not None:
            self._base, self._digest, self._version, self._delta_bytes = held

    def _begin_base(self) -> None:
        raw = bytes(self._buffer[:BASE_HEADER_BYTES])
        _verify(self._key, *base_signed_bytes(raw), what="snapshot")
        header = unpack_base_header(raw)
        version = Version(header.epoch, header.number)
        if self._version is not None and version <= self._version:
            raise BundleOutdated(
                f"The other node sent {version}, but {self._version} is here.",
                "A snapshot never goes back; it is asked for again.",
            )
        del self._buffer[:BASE_HEADER_BYTES]
        self._incoming = _IncomingBase(self._directory, version, header, raw)

    def _feed_base(self, incoming: _IncomingBase) -> bool:
        """Whether the base is whole now, and in its place."""
        part = bytes(self._buffer[: incoming.missing])
        del self._buffer[: len(part)]
        incoming.write(part)
        if incoming.missing:
            return False
        self._incoming = None
        incoming.finish()
        self._base = self._version = incoming.version
        self._digest, self._delta_bytes = incoming.header.digest, 0
        remove_before(self._directory, incoming.version)
        return True

    def _frame_length(self) -> int | None:
        if len(self._buffer) < FRAME_HEADER_BYTES:
            return None
        raw = bytes(self._buffer[:FRAME_HEADER_BYTES])
        # Before its length is believed: an unsigned one could ask for a gigabyte of memory.
        _verify(self._key, *frame_signed_bytes(raw), what="delta frame")
        return FRAME_HEADER_BYTES + unpack_frame_header(raw).body_bytes

    def _take_frame(self, length: int) -> int:
        raw = bytes(self._buffer[:length])
        header = open_frame(self._key, raw).header
        version = Version(header.epoch, header.number)
        del self._buffer[:length]
        if self._base is None or self._version is None:
            raise BundleCorrupt("A delta frame came before its base.")
        if version <= self._version:
            return 0
        if header.base != self._digest or header.number != self._version.number + 1:
            raise BundleCorrupt(f"Delta frame {version} does not follow {self._version}.")
        path = delta_path(self._directory / base_name(self._base))
        with storage_errors(path):
            append_at(path, raw, self._delta_bytes)
        self._delta_bytes += length
        self._version = version
        return 1


class _IncomingBase:
    """A base that is being written; unseen until it is whole."""

    def __init__(self, directory: Path, version: Version, header: BaseHeader, raw: bytes) -> None:
        self.version = version
        self.header = header
        self.missing = header.body_bytes
        self._hash = hashlib.sha256()
        self._path = directory / base_name(version)
        self._part = directory / _PART
        with storage_errors(self._part):
            directory.mkdir(parents=True, exist_ok=True)
            self._file: BinaryIO = self._part.open("wb")
            self._file.write(raw)

    def write(self, part: bytes) -> None:
        """Add bytes of the body."""
        self._hash.update(part)
        self.missing -= len(part)
        with storage_errors(self._part):
            self._file.write(part)

    def finish(self) -> None:
        """Put it in its place, if it is what was signed."""
        if self._hash.digest() != self.header.digest:
            self.drop()
            raise SignatureInvalid(
                "The snapshot was altered after signing.", "It is asked for again."
            )
        with storage_errors(self._path):
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            write_whole(delta_path(self._path), ())
            self._part.replace(self._path)
            sync_directory(self._path.parent)

    def drop(self) -> None:
        """Remove what came so far."""
        self._file.close()
        self._part.unlink(missing_ok=True)


def _verify(key: Ed25519PublicKey, signed: bytes, signature: bytes, *, what: str) -> None:
    try:
        key.verify(signature, signed)
    except InvalidSignature as error:
        raise SignatureInvalid(
            f"The {what} that came is not signed by the key that is trusted here.",
            "Copy keys/signing.pub from the home that publishes.",
        ) from error
