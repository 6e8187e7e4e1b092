"""Nothing unsigned, altered or out of place gets past the signature."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from flyball.errors import Conflict, InvalidInput, NotFound, SignatureInvalid
from models.signature import (
    SIGNATURE_FILE,
    create_keypair,
    ensure_keypair,
    listing,
    load_private_key,
    load_public_key,
    signature_of,
    verified,
)

FILES = {"manifest.json": b"{}", "card.md": b"# Card\n"}


@pytest.fixture
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


@pytest.fixture
def directory(tmp_path: Path, key: Ed25519PrivateKey) -> Path:
    target = tmp_path / "v1"
    target.mkdir()
    for name, body in {**FILES, SIGNATURE_FILE: signature_of(FILES, key)}.items():
        (target / name).write_bytes(body)
    return target


def test_a_signed_directory_gives_exactly_its_files(
    directory: Path, key: Ed25519PrivateKey
) -> None:
    assert dict(verified(directory, key.public_key()).contents) == FILES


def test_the_listing_is_canonical() -> None:
    backwards = dict(reversed(FILES.items()))
    assert listing(FILES) == listing(backwards)
    assert listing(FILES).splitlines()[1].startswith(b"card.md\t7\t")


def _alter(directory: Path) -> None:
    (directory / "card.md").write_bytes(b"# Core\n")


def _add(directory: Path) -> None:
    (directory / "extra.md").write_bytes(b"")


def _remove(directory: Path) -> None:
    (directory / "card.md").unlink()


def _rename(directory: Path) -> None:
    (directory / "card.md").rename(directory / "cart.md")


def _swap(directory: Path) -> None:
    (directory / "card.md").write_bytes(FILES["manifest.json"])
    (directory / "manifest.json").write_bytes(FILES["card.md"])


def _unsign(directory: Path) -> None:
    (directory / SIGNATURE_FILE).unlink()


def _empty_signature(directory: Path) -> None:
    (directory / SIGNATURE_FILE).write_bytes(b"")


def _signature_with_a_space(directory: Path) -> None:
    path = directory / SIGNATURE_FILE
    path.write_bytes(b" " + path.read_bytes())


def _link(directory: Path) -> None:
    outside = directory.parent / "outside.md"
    (directory / "card.md").rename(outside)
    (directory / "card.md").symlink_to(outside)


def _folder(directory: Path) -> None:
    (directory / "graphs").mkdir()


def _hidden(directory: Path) -> None:
    (directory / ".hidden").write_bytes(b"")


def _odd_name(directory: Path) -> None:
    (directory / "..\\..\\escape.md").write_bytes(b"")


def _pipe(directory: Path) -> None:
    (directory / "card.md").unlink()
    os.mkfifo(directory / "card.md")


def _many(directory: Path) -> None:
    for number in range(40):
        (directory / f"f{number}.md").write_bytes(b"")


def _huge(directory: Path) -> None:
    # A hole: refused by its size, without being read.
    with (directory / "card.md").open("r+b") as file:
        file.truncate(1 << 40)


@pytest.mark.parametrize(
    "damage",
    [
        _alter, _add, _remove, _rename, _swap, _unsign, _empty_signature, _signature_with_a_space,
        _link, _folder, _hidden, _odd_name, _pipe, _many, _huge,
    ],
    ids=lambda damage: damage.__name__.strip("_"),
)  # fmt: skip
def test_any_change_is_refused(
    directory: Path, key: Ed25519PrivateKey, damage: Callable[[Path], None]
) -> None:
    damage(directory)
    with pytest.raises(SignatureInvalid):
        verified(directory, key.public_key())


def test_another_key_is_refused(directory: Path) -> None:
    with pytest.raises(SignatureInvalid, match="another key"):
        verified(directory, Ed25519PrivateKey.generate().public_key())


def test_files_that_are_too_large_together_are_refused(
    directory: Path, key: Ed25519PrivateKey
) -> None:
    with pytest.raises(SignatureInvalid, match="larger"):
        verified(directory, key.public_key(), max_bytes=100)


def test_a_missing_directory_is_not_found(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    with pytest.raises(NotFound):
        verified(tmp_path / "nowhere", key.public_key())


def test_a_file_instead_of_a_directory_is_refused(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SignatureInvalid):
        verified(tmp_path / "file", key.public_key())


@pytest.mark.parametrize(
    "name", ["../card.md", "a/b", "/etc/passwd", "SIGNATURE", "", ".x", "A.md"]
)
def test_path_parts_cannot_be_signed(name: str, key: Ed25519PrivateKey) -> None:
    with pytest.raises(InvalidInput):
        signature_of({name: b""}, key)


def test_a_key_pair_is_private_and_never_overwritten(tmp_path: Path) -> None:
    private, public = tmp_path / "keys" / "signing.pem", tmp_path / "keys" / "signing.pub"
    create_keypair(private, public)
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    before = private.read_bytes()
    with pytest.raises(Conflict):
        create_keypair(private, public)
    public.unlink()
    with pytest.raises(Conflict):
        create_keypair(private, public)
    assert private.read_bytes() == before


def test_ensuring_keys_creates_repairs_and_leaves_alone(tmp_path: Path) -> None:
    private, public = tmp_path / "keys" / "signing.pem", tmp_path / "keys" / "signing.pub"
    ensure_keypair(private, public)
    first = (private.read_bytes(), public.read_bytes())
    ensure_keypair(private, public)
    public.unlink()
    ensure_keypair(private, public)
    assert (private.read_bytes(), public.read_bytes()) == first
    assert sorted(path.name for path in private.parent.iterdir()) == ["signing.pem", "signing.pub"]
    # A machine that only serves has no private key, and gets none.
    private.unlink()
    ensure_keypair(private, public)
    assert not private.exists()


def test_keys_created_by_several_at_once_are_one_pair(tmp_path: Path) -> None:
    private, public = tmp_path / "signing.pem", tmp_path / "signing.pub"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: ensure_keypair(private, public), range(32)))
    load_public_key(public).verify(load_private_key(private).sign(b"text"), b"text")


def test_a_key_pair_signs_and_verifies(tmp_path: Path) -> None:
    private, public = tmp_path / "signing.pem", tmp_path / "signing.pub"
    create_keypair(private, public)
    key = load_private_key(private)
    load_public_key(public).verify(key.sign(b"text"), b"text")


def test_unusable_keys_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no signing key"):
        load_private_key(tmp_path / "none")
    with pytest.raises(NotFound, match="no verification key"):
        load_public_key(tmp_path / "none")
    (tmp_path / "bad").write_bytes(b"-----BEGIN SECRET-----")
    for load in (load_private_key, load_public_key):
        with pytest.raises(InvalidInput) as caught:
            load(tmp_path / "bad")
        assert "SECRET" not in str(caught.value)
