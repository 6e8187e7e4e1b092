"""Ed25519 signatures over a bundle's files, checked before anything in them is parsed.

The signed text is a canonical listing: one line a file with name, size and SHA-256, sorted by
name, under a heading that names the purpose, so that a signature made for a bundle means nothing
elsewhere. ``SIGNATURE`` holds the 64 signature bytes in hexadecimal and a newline.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from flyball.errors import Conflict, InvalidInput, NotFound, SignatureInvalid

SIGNATURE_FILE = "SIGNATURE"
_HEADING = "flyball bundle listing 1\n"
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}(?:\.[a-z0-9]{1,16})?", re.ASCII)

#: No bundle is anywhere near these sizes; more is refused unread.
MAX_BUNDLE_BYTES = 256 * 1024 * 1024
MAX_FILES = 16


@dataclass(frozen=True, slots=True)
class SignedFiles:
    """Names and contents of files whose signature was correct. Only :func:`verified` makes one.

    The bytes are those that were hashed: a file swapped afterwards changes nothing.
    ``signature`` is the content of the ``SIGNATURE`` file, which ``contents`` does not repeat.
    """

    contents: Mapping[str, bytes]
    signature: bytes


def create_keypair(private_path: Path, public_path: Path) -> None:
    """Create an Ed25519 pair: the private key with mode 0600, both as PEM, each complete or absent.

    Raises
    ------
    Conflict
        If either file exists: a key is never overwritten.
    """
    if public_path.exists():
        raise Conflict(f"{public_path} exists already.", "Move it away to make a new pair.")
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    private_path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    _write_new(private_path, private, mode=0o600)
    _write_public(public_path, key)


def ensure_keypair(private_path: Path, public_path: Path) -> None:
    """Make sure that there is something to verify with; safe for several processes at once.

    Creates the pair where there is nothing, and the public half where only the private one is
    there. A machine that only serves has just the public half: that is left as it is.
    """
    if public_path.exists():
        return
    if not private_path.exists():
        try:
            create_keypair(private_path, public_path)
        except Conflict:
            # Another process was faster: its private key is the one.
            pass
        else:
            return
    try:
        _write_public(public_path, load_private_key(private_path))
    except Conflict:
        if not public_path.exists():
            raise


def load_private_key(path: Path) -> Ed25519PrivateKey:
    """Read the signing key; raises NotFound or InvalidInput, never showing its content."""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except FileNotFoundError as error:
        raise NotFound(
            f"There is no signing key at {path}.",
            "Copy signing.pem here, or move signing.pub away and train again to make a new pair.",
        ) from error
    except (ValueError, TypeError) as error:
        raise InvalidInput(f"{path} is not a PEM private key.", field="signing_key") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise InvalidInput(f"{path} is not an Ed25519 key.", field="signing_key")
    return key


def load_public_key(path: Path) -> Ed25519PublicKey:
    """Read the key that bundles are verified with; raises NotFound or InvalidInput."""
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except FileNotFoundError as error:
        raise NotFound(
            f"There is no verification key at {path}.",
            "Copy signing.pub from the machine that trains.",
        ) from error
    except ValueError as error:
        raise InvalidInput(f"{path} is not a PEM public key.", field="verify_key") from error
    if not isinstance(key, Ed25519PublicKey):
        raise InvalidInput(f"{path} is not an Ed25519 key.", field="verify_key")
    return key


def listing(contents: Mapping[str, bytes]) -> bytes:
    """The canonical bytes that are signed: heading, then ``name TAB size TAB sha256`` by name."""
    lines = (
        f"{name}\t{len(body)}\t{hashlib.sha256(body).hexdigest()}\n"
        for name, body in sorted(contents.items())
    )
    return (_HEADING + "".join(lines)).encode("ascii")


def signature_of(contents: Mapping[str, bytes], key: Ed25519PrivateKey) -> bytes:
    """The content of the ``SIGNATURE`` file for ``contents``.

    Raises
    ------
    InvalidInput
        If a name is not a plain lower-case file name, or is ``SIGNATURE`` itself.
    """
    for name in contents:
        if not _NAME.fullmatch(name):
            raise InvalidInput(f"{name[:64]!r} cannot be a file of a bundle.", field="files")
    return key.sign(listing(contents)).hex().encode("ascii") + b"\n"


def verified(
    directory: Path, key: Ed25519PublicKey, *, max_bytes: int = MAX_BUNDLE_BYTES
) -> SignedFiles:
    """Read every file of ``directory`` and check the signature over all of them.

    Only regular files with plain names may be there: no links, no directories, nothing extra,
    nothing missing, nothing renamed, no more than ``max_bytes`` together.

    Raises
    ------
    SignatureInvalid
        Whatever is wrong; the content was not looked at.
    NotFound
        If the directory does not exist.
    """
    contents = _read_directory(directory, max_bytes)
    signature = contents.pop(SIGNATURE_FILE, None)
    if signature is None:
        raise SignatureInvalid(
            f"{directory.name} is not signed.", "Publish it again with `flyball publish`."
        )
    try:
        text = signature.decode("ascii")
        raw = bytes.fromhex(text) if re.fullmatch(r"[0-9a-f]{128}\n", text) else b""
        key.verify(raw, listing(contents))
    except (InvalidSignature, ValueError) as error:
        raise SignatureInvalid(
            f"{directory.name} was altered after signing, or signed with another key.",
            "Publish it again, or check that the verification key belongs to the training machine.",
        ) from error
    return SignedFiles(contents, signature)


def _read_directory(directory: Path, max_bytes: int) -> dict[str, bytes]:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    try:
        folder = os.open(directory, flags)
    except FileNotFoundError as error:
        raise NotFound(f"There is no bundle at {directory}.") from error
    except NotADirectoryError as error:
        raise SignatureInvalid(f"{directory.name} is not a directory.") from error
    try:
        names = sorted(os.listdir(folder))
        if len(names) > MAX_FILES:
            raise SignatureInvalid(f"{directory.name} holds {len(names)} files, too many.")
        contents: dict[str, bytes] = {}
        for name in names:
            contents[name] = _read_file(folder, name, directory.name, max_bytes)
            max_bytes -= len(contents[name])
        return contents
    finally:
        os.close(folder)


def _read_file(folder: int, name: str, bundle: str, max_bytes: int) -> bytes:
    if name != SIGNATURE_FILE and not _NAME.fullmatch(name):
        raise SignatureInvalid(f"{bundle} holds {name[:64]!r}, which no bundle has.")
    # NOFOLLOW refuses links, NONBLOCK keeps a named pipe from blocking us.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        handle = os.open(name, flags, dir_fd=folder)
    except OSError as error:
        what = "is a link" if error.errno == errno.ELOOP else "cannot be read"
        raise SignatureInvalid(f"{bundle}: {name} {what}.") from error
    try:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode):
            raise SignatureInvalid(f"{bundle}: {name} is not a regular file.")
        if about.st_size > max_bytes:
            raise SignatureInvalid(f"{bundle}: {name} makes it larger than a bundle may be.")
        with os.fdopen(handle, "rb", closefd=False) as file:
            body = file.read(about.st_size + 1)
    finally:
        os.close(handle)
    if len(body) != about.st_size:
        raise SignatureInvalid(f"{bundle}: {name} changed while it was read.")
    return body


def _write_public(path: Path, key: Ed25519PrivateKey) -> None:
    body = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    _write_new(path, body, mode=0o644)


def _write_new(path: Path, body: bytes, *, mode: int) -> None:
    # Written aside and linked into place: a crash leaves no half key, and an existing one stays.
    aside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        os.link(aside, path)
    except FileExistsError as error:
        raise Conflict(f"{path} exists already.", "Move it away to make a new pair.") from error
    finally:
        aside.unlink()
