"""Which bundle serving uses: ``bundles/current.json``, replaced in one step.

A publisher copies a verified bundle to ``bundles/<version>/`` and then moves the pointer; serving
reads the pointer, verifies again and loads. A reader sees the old bundle or the new one, complete.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from flyball.errors import (
    BundleCorrupt,
    BundleOutdated,
    Conflict,
    InvalidInput,
    NotFound,
    ReadOnlyHome,
    SignatureInvalid,
    StorageError,
    StorageFull,
)
from flyball.identity import check_identifier
from models.bundle import Bundle, accepted, open_bundle, sync_directory, write_files
from models.manifest import Manifest
from models.signature import SIGNATURE_FILE, SignedFiles, verified

POINTER_FILE = "current.json"
KEEP_BUNDLES = 5
_MAX_POINTER_BYTES = 64 * 1024


class Pointer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``current.json``: the bundle in use; ``rollback`` says that going back was on purpose."""

    format: int = 1
    version: str
    created_us: int
    published_us: int
    rollback: bool = False


def read_current(bundles: Path) -> Pointer | None:
    """The pointer, or None before the first publication; raises BundleCorrupt if damaged."""
    try:
        with (bundles / POINTER_FILE).open("rb") as file:
            body = file.read(_MAX_POINTER_BYTES)
    except FileNotFoundError:
        return None
    try:
        pointer = msgspec.json.decode(body, type=Pointer)
        check_identifier(pointer.version, field="version")
    except (msgspec.DecodeError, RecursionError, InvalidInput) as error:
        raise BundleCorrupt(
            f"{POINTER_FILE} cannot be read: {error}.", "Run `flyball publish` again."
        ) from error
    return pointer


def open_current(
    bundles: Path,
    key: Ed25519PublicKey,
    *,
    serving: Manifest | None = None,
    feature_hash: str | None = None,
    probe: bool = True,
) -> Bundle | None:
    """Open the bundle that the pointer names; None before the first publication.

    An older bundle than ``serving`` is refused unless the pointer says ``rollback``. Raises what
    :func:`models.bundle.open_bundle` raises; the caller then keeps the bundle it has.
    """
    pointer = read_current(bundles)
    if pointer is None:
        return None
    floor = None if serving is None or pointer.rollback else serving.created_us
    bundle = open_bundle(
        bundles / pointer.version,
        key,
        not_before_us=floor,
        feature_hash=feature_hash,
        probe=probe,
    )
    if (bundle.version, bundle.manifest.created_us) != (pointer.version, pointer.created_us):
        raise BundleCorrupt(f"{pointer.version} holds the bundle {bundle.version}.")
    return bundle


def publish(
    source: Path,
    bundles: Path,
    key: Ed25519PublicKey,
    *,
    published_us: int,
    rollback: bool = False,
    feature_hash: str | None = None,
    keep: int = KEEP_BUNDLES,
) -> Pointer:
    """Verify and try the bundle in ``source``, copy it, move the pointer, drop old copies.

    ``rollback`` allows going back to an older one; the pointer says so only if it did.

    Publishing what is current already changes nothing. ``keep`` counts the current one (≥ 1).

    Raises
    ------
    BundleOutdated
        Older than the current one, without ``rollback``.
    Conflict
        Another bundle of that version was published before.
    SignatureInvalid, BundleCorrupt, NotFound, StorageFull, ReadOnlyHome
        The pointer stays where it was.
    """
    files = verified(source, key)
    bundle = accepted(files, feature_hash=feature_hash)
    made = bundle.manifest.created_us
    with _storage(bundles), _one_publisher(bundles):
        now = read_current(bundles)
        if now is not None and not rollback and made < now.created_us:
            raise BundleOutdated(
                f"{bundle.version} is older than {now.version}, which is in use.",
                "Use `flyball rollback` to go back on purpose.",
            )
        _place(files, bundles / bundle.version, key)
        if now is not None and (now.version, now.created_us) == (bundle.version, made):
            return now
        pointer = Pointer(
            version=bundle.version,
            created_us=made,
            published_us=published_us,
            # Allowing to go back is not going back: followers accept an older one only if it was.
            rollback=rollback and now is not None and made < now.created_us,
        )
        _replace(bundles / POINTER_FILE, msgspec.json.encode(pointer) + b"\n")
        _prune(bundles, pointer.version, keep)
    return pointer


def unpublish(bundles: Path) -> bool:
    """Take the pointer away: serving then has no bundle and stays static. False without one."""
    with _storage(bundles):
        try:
            (bundles / POINTER_FILE).unlink()
        except FileNotFoundError:
            return False
        sync_directory(bundles)
    return True


def _place(files: SignedFiles, target: Path, key: Ed25519PublicKey) -> None:
    if _is_placed(files, target, key):
        return
    # The verified bytes are written, not the source's files: those may change in between.
    contents = {**files.contents, SIGNATURE_FILE: files.signature}
    incoming = target.parent / f".incoming-{target.name}"
    shutil.rmtree(incoming, ignore_errors=True)
    try:
        write_files(incoming, contents)
        incoming.rename(target)
    finally:
        shutil.rmtree(incoming, ignore_errors=True)
    sync_directory(target.parent)


def _is_placed(files: SignedFiles, target: Path, key: Ed25519PublicKey) -> bool:
    try:
        there = verified(target, key)
    except NotFound:
        return False
    except SignatureInvalid:
        # Damaged since it was published: put a sound copy in its place.
        shutil.rmtree(target)
        return False
    if dict(there.contents) != dict(files.contents):
        raise Conflict(
            f"{target.name} was published before with other content.",
            "Give the new bundle another version.",
        )
    return True


def _replace(path: Path, body: bytes) -> None:
    incoming = path.with_name(f".{path.name}.new")
    with incoming.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    incoming.replace(path)
    sync_directory(path.parent)


def _prune(bundles: Path, current: str, keep: int) -> None:
    folders = [entry for entry in bundles.iterdir() if entry.is_dir() and entry.name != current]
    folders.sort(key=lambda entry: (entry.stat().st_mtime_ns, entry.name), reverse=True)
    for old in folders[max(keep, 1) - 1 :]:
        shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _one_publisher(bundles: Path) -> Iterator[None]:
    bundles.mkdir(parents=True, exist_ok=True)
    with (bundles / ".lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _storage(bundles: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull(
                f"No space is left for a bundle in {bundles}.", "Free some and publish again."
            ) from error
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise ReadOnlyHome(f"{bundles} cannot be written.", "Check its owner.") from error
        raise StorageError(f"{bundles}: {error.strerror}.") from error
