"""A mirror keeps what is signed and newer, whatever the pieces it comes in."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from flyball.errors import BundleCorrupt, BundleOutdated, SignatureInvalid
from serving.snapshot.entry import Entry
from serving.snapshot.layout import (
    FRAME_HEADER_BYTES,
    HEARTBEAT,
    HEARTBEAT_MAGIC,
    frame_signed_bytes,
    unpack_frame_header,
)
from serving.snapshot.mirror import SnapshotMirror
from serving.snapshot.reader import SnapshotReader
from serving.snapshot.transfer import copy_snapshot
from serving.snapshot.version import Version
from serving.snapshot.writer import SnapshotWriter

MakeEntry = Callable[..., Entry]


@pytest.fixture
def here(tmp_path: Path) -> Path:
    return tmp_path / "mirrored"


def everything(directory: Path, since: Version | None = None) -> bytes:
    copy = copy_snapshot(directory, since)
    assert copy is not None
    raw = b"".join(copy.chunks())
    assert len(raw) == copy.length
    return raw


def multiplier(directory: Path, key: Ed25519PrivateKey, name: str, now_us: int) -> float:
    reader = SnapshotReader(directory, key.public_key())
    reader.refresh()
    assert reader.error is None
    return reader.lookup(name, now_us).arm / 100


@pytest.mark.parametrize("seed", range(5))
def test_a_mirror_in_pieces_of_any_size_serves_the_same(
    seed: int,
    writer: SnapshotWriter,
    reader: SnapshotReader,
    entry: MakeEntry,
    now_us: int,
    directory: Path,
    here: Path,
    key: Ed25519PrivateKey,
) -> None:
    mirror = SnapshotMirror(here, key.public_key())
    chance = random.Random(seed)
    beat = HEARTBEAT.pack(HEARTBEAT_MAGIC, 1, 9, 0)
    steps = [[entry(f"t{n}") for n in range(30)], [entry("t3", served_arm=70)], []]
    steps += [[entry("new", served_arm=115, reasons=("fresh_word",))]]
    for number, step in enumerate(steps):
        if number == 0:
            writer.publish_all(step, aliases={"k": "t1"}, created_us=now_us, as_of_us=now_us)
        else:
            writer.publish_changes(step, created_us=now_us, as_of_us=now_us)
        raw = beat + everything(directory, mirror.version) + beat
        while raw:
            size = chance.choice([1, 3, 50, 1_000, 100_000])
            mirror.take(raw[:size])
            raw = raw[size:]
    reader.refresh()
    copy = SnapshotReader(here, key.public_key())
    copy.refresh()
    assert copy.version == reader.version == mirror.version == Version(1, 3)
    assert mirror.upstream_version == Version(1, 9)
    for name in ("t0", "t3", "new", "k", "nobody"):
        assert copy.answer(name, now_us) == reader.answer(name, now_us)
    # Byte for byte the same files, so that a mirror can be mirrored.
    assert everything(here) == everything(directory)


def test_a_mirror_goes_on_after_a_restart(
    writer: SnapshotWriter,
    entry: MakeEntry,
    now_us: int,
    directory: Path,
    here: Path,
    key: Ed25519PrivateKey,
) -> None:
    writer.publish_all([entry("a")], aliases={}, created_us=now_us, as_of_us=now_us)
    writer.publish_changes([entry("a", served_arm=70)], created_us=now_us, as_of_us=now_us)
    first = SnapshotMirror(here, key.public_key())
    raw = everything(directory)
    # Cut off in the middle of the frame: what is whole is kept.
    first.take(raw[:-10])
    assert first.version == Version(1, 0)
    again = SnapshotMirror(here, key.public_key())
    assert again.version == Version(1, 0)
    again.take(everything(directory, again.version))
    assert again.version == Version(1, 1)
    assert multiplier(here, key, "a", now_us) == 0.7


def test_a_mirror_never_goes_back_and_takes_nothing_twice(
    writer: SnapshotWriter,
    entry: MakeEntry,
    now_us: int,
    directory: Path,
    here: Path,
    key: Ed25519PrivateKey,
) -> None:
    writer.publish_all([entry("a")], aliases={}, created_us=now_us, as_of_us=now_us)
    old = everything(directory)
    writer.publish_changes([entry("a", served_arm=70)], created_us=now_us, as_of_us=now_us)
    frame = everything(directory, Version(1, 0))
    mirror = SnapshotMirror(here, key.public_key())
    assert mirror.take(old) == 1
    with pytest.raises(BundleOutdated):
        mirror.take(old)
    mirror.reset()
    assert mirror.take(frame) == 1
    assert mirror.take(frame) == 0
    with pytest.raises(BundleOutdated):
        mirror.take(old)
    mirror.reset()
    assert mirror.version == Version(1, 1)
    assert multiplier(here, key, "a", now_us) == 0.7


def test_a_gap_is_refused(
    writer: SnapshotWriter,
    entry: MakeEntry,
    now_us: int,
    directory: Path,
    here: Path,
    key: Ed25519PrivateKey,
) -> None:
    writer.publish_all([entry("a")], aliases={}, created_us=now_us, as_of_us=now_us)
    mirror = SnapshotMirror(here, key.public_key())
    mirror.take(everything(directory))
    for arm in (70, 115):
        writer.publish_changes([entry("a", served_arm=arm)], created_us=now_us, as_of_us=now_us)
    with pytest.raises(BundleCorrupt, match="does not follow"):
        mirror.take(everything(directory, Version(1, 1)))
    mirror.reset()
    mirror.take(everything(directory, mirror.version))
    assert mirror.version == Version(1, 2)


def test_an_altered_length_is_refused_before_anything_of_it_has_come(
    writer: SnapshotWriter,
    entry: MakeEntry,
    now_us: int,
    directory: Path,
    here: Path,
    key: Ed25519PrivateKey,
) -> None:
    writer.publish_all([entry("a")], aliases={}, created_us=now_us, as_of_us=now_us)
    mirror = SnapshotMirror(here, key.public_key())
    mirror.take(everything(directory))
    writer.publish_changes([entry("a", served_arm=70)], created_us=now_us, as_of_us=now_us)
    raw = everything(directory, Version(1, 0))[:FRAME_HEADER_BYTES]
    header = replace(unpack_frame_header(raw), body_bytes=1 << 30)
    signed, _ = frame_signed_bytes(raw)
    # Were it believed, a gigabyte would be waited for.
    with pytest.raises(SignatureInvalid):
        mirror.take(header.pack() + raw[len(signed) :])


@pytest.mark.parametrize("where", ["header", "records", "frame", "stranger", "nonsense"])
def test_nothing_altered_is_kept(
    where: str,
    writer: SnapshotWriter,
    entry: MakeEntry,
    now_us: int,
    directory: Path,
    here: Path,
    key: Ed25519PrivateKey,
) -> None:
    writer.publish_all([entry("a")], aliases={}, created_us=now_us, as_of_us=now_us)
    base = len(everything(directory))
    writer.publish_changes([entry("a", served_arm=70)], created_us=now_us, as_of_us=now_us)
    raw = bytearray(everything(directory))
    trusted = key if where != "stranger" else Ed25519PrivateKey.generate()
    if where == "nonsense":
        raw = bytearray(b"<html>not found</html>")
    elif where != "stranger":
        raw[{"header": 20, "records": 200, "frame": base + 20}[where]] ^= 1
    mirror = SnapshotMirror(here, trusted.public_key())
    with pytest.raises((SignatureInvalid, BundleCorrupt)):
        mirror.take(bytes(raw))
    mirror.reset()
    assert mirror.version == (Version(1, 0) if where == "frame" else None)
    assert not list(here.glob(".*")) if here.exists() else True
    # What is right afterwards is taken all the same.
    if where != "stranger":
        mirror.take(everything(directory, mirror.version))
        assert mirror.version == Version(1, 1)
