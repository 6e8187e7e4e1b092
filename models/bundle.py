"""The bundle: the signed directory that training writes and serving loads."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from flyball.errors import BundleCorrupt, BundleOutdated, Conflict, InvalidInput
from models.manifest import GRAPHS, FileEntry, Manifest, decode_manifest, encode_manifest
from models.signature import SIGNATURE_FILE, SignedFiles, signature_of, verified

MANIFEST_FILE = "manifest.json"
CARD_FILE = "card.md"


@dataclass(frozen=True, slots=True)
class Bundle:
    """The content of a bundle: manifest, graphs by file name, and the model card for people."""

    manifest: Manifest
    graphs: Mapping[str, bytes]
    card: str = ""

    @property
    def version(self) -> str:
        """The bundle's name, unique within a home."""
        return self.manifest.version


def write_bundle(directory: Path, bundle: Bundle, key: Ed25519PrivateKey) -> Bundle:
    """Write ``bundle`` as a signed directory; sizes and hashes are filled in.

    Parameters
    ----------
    directory:
        Must not exist yet, or be empty.
    bundle:
        ``manifest.files`` is ignored and replaced.

    Returns
    -------
    The bundle as written.

    Raises
    ------
    Conflict
        If the directory holds anything.
    InvalidInput
        If the graphs are not exactly those of the format.
    BundleCorrupt
        If the manifest contradicts itself; nothing was written.
    """
    contents = _contents(bundle)
    written = parsed(contents)
    contents[SIGNATURE_FILE] = signature_of(contents, key)
    write_files(directory, contents)
    return written


def open_bundle(
    directory: Path,
    key: Ed25519PublicKey,
    *,
    not_before_us: int | None = None,
    feature_hash: str | None = None,
    probe: bool = True,
) -> Bundle:
    """Verify, read and try a bundle. Nothing is parsed before its signature is known to be right.

    Parameters
    ----------
    directory:
        The bundle.
    key:
        Public half of the key it must be signed with.
    not_before_us:
        ``created_us`` of the bundle in use: an older one is refused. None allows any (rollback).
    feature_hash:
        Hash of the features that this version computes; another one is refused. None skips it.
    probe:
        Load it in a child process first and check the golden rows there, so that whatever makes
        onnxruntime crash does not take this process along.

    Raises
    ------
    NotFound, SignatureInvalid, BundleCorrupt, BundleOutdated
    """
    return accepted(
        verified(directory, key),
        not_before_us=not_before_us,
        feature_hash=feature_hash,
        probe=probe,
    )


def accepted(
    files: SignedFiles,
    *,
    not_before_us: int | None = None,
    feature_hash: str | None = None,
    probe: bool = True,
) -> Bundle:
    """The part of :func:`open_bundle` that follows verification."""
    bundle = parsed(files.contents)
    made = bundle.manifest.created_us
    if not_before_us is not None and made < not_before_us:
        raise BundleOutdated(
            f"{bundle.version} is older than the bundle in use.",
            "Use `flyball rollback` to go back on purpose.",
        )
    if feature_hash is not None and bundle.manifest.feature_hash != feature_hash:
        raise BundleOutdated(
            f"{bundle.version} was trained on other feature definitions "
            f"({bundle.manifest.feature_hash[:12]}) than this version computes "
            f"({feature_hash[:12]}).",
            "Train again with `flyball train`.",
        )
    if probe:
        from models.probe import try_in_child

        try_in_child(files.contents)
    return bundle


def parsed(contents: Mapping[str, bytes]) -> Bundle:
    """Read files (by name) that are ours or verified; raises BundleCorrupt or BundleOutdated."""
    if set(contents) != {MANIFEST_FILE, CARD_FILE, *GRAPHS}:
        raise BundleCorrupt(f"A bundle with the files {sorted(contents)} is not complete.")
    manifest = decode_manifest(contents[MANIFEST_FILE])
    if dict(manifest.files) != _entries({n: b for n, b in contents.items() if n != MANIFEST_FILE}):
        raise BundleCorrupt(f"{manifest.version}: the manifest lists other files than there are.")
    try:
        card = contents[CARD_FILE].decode("utf-8")
    except UnicodeDecodeError as error:
        raise BundleCorrupt(f"{manifest.version}: {CARD_FILE} is not UTF-8 text.") from error
    return Bundle(manifest, {name: contents[name] for name in GRAPHS}, card)


def write_files(directory: Path, contents: Mapping[str, bytes]) -> None:
    """Write ``contents`` into a new or empty directory and force them to disk."""
    directory.mkdir(parents=True, exist_ok=True)
    if any(directory.iterdir()):
        raise Conflict(f"{directory} is not empty.", "Choose another directory or version.")
    for name, body in contents.items():
        with (directory / name).open("xb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
    sync_directory(directory)


def sync_directory(directory: Path) -> None:
    """Make renames and new names in ``directory`` survive a power cut."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _contents(bundle: Bundle) -> dict[str, bytes]:
    if set(bundle.graphs) != set(GRAPHS):
        raise InvalidInput(f"A bundle has the graphs {', '.join(GRAPHS)}.", field="graphs")
    contents = {**bundle.graphs, CARD_FILE: bundle.card.encode("utf-8")}
    manifest = msgspec.structs.replace(bundle.manifest, files=_entries(contents))
    return {MANIFEST_FILE: encode_manifest(manifest), **contents}


def _entries(contents: Mapping[str, bytes]) -> dict[str, FileEntry]:
    return {
        name: FileEntry(size=len(body), sha256=hashlib.sha256(body).hexdigest())
        for name, body in sorted(contents.items())
    }
