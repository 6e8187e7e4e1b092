"""Files that must not be used are refused, and what was served before stays served."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from flyball.errors import (
    BundleOutdated,
    SignatureInvalid,
)
from serving.snapshot.entry import Entry
from serving.snapshot.reader import SnapshotReader
from serving.snapshot.version import Version, base_name, delta_path
from serving.snapshot.writer import SnapshotWriter
from tests.unit.serving.answered import multiplier

MakeEntry = Callable[..., Entry]


def _error(reader: SnapshotReader) -> Exception | None:
    """Asked anew: what a refresh changed, a type checker cannot know."""
    return reader.error


def test_files_taken_back_are_refused(
    writer: SnapshotWriter, reader: SnapshotReader, entry: MakeEntry, now_us: int, directory: Path
) -> None:
    writer.publish_all([entry("a")], aliases={}, created_us=now_us, as_of_us=now_us)
    writer.publish_all([entry("a", served_arm=115)], aliases={}, created_us=now_us, as_of_us=now_us)
    reader.refresh()
    (directory / base_name(Version(1, 1))).unlink()
    assert not reader.refresh()
    assert isinstance(reader.error, BundleOutdated)
    assert multiplier(reader, "a", now_us) == 1.15


def test_an_old_file_under_a_new_name_is_refused(
    writer: SnapshotWriter, reader: SnapshotReader, entry: MakeEntry, now_us: int, directory: Path
) -> None:
    writer.publish_all([entry("a")], aliases={}, created_us=now_us, as_of_us=now_us)
    reader.refresh()
    first = directory / base_name(Version(1, 0))
    (directory / base_name(Version(9, 0))).write_bytes(first.read_bytes())
    assert not reader.refresh()
    assert isinstance(reader.error, BundleOutdated)


def test_a_bad_file_in_front_does_not_hide_a_good_one(
    writer: SnapshotWriter,
    entry: MakeEntry,
    now_us: int,
    directory: Path,
    key: Ed25519PrivateKey,
) -> None:
    writer.publish_all([entry("a")], aliases={}, created_us=now_us, as_of_us=now_us)
    (directory / base_name(Version(9, 0))).write_bytes(b"nonsense")
    cold = SnapshotReader(directory, key.public_key())
    assert cold.refresh()
    assert cold.version == Version(1, 0)
    assert cold.error is not None
    writer.publish_changes([entry("a", served_arm=70)], created_us=now_us, as_of_us=now_us)
    assert cold.refresh()
    assert multiplier(cold, "a", now_us) == 0.7


def test_a_snapshot_of_the_old_format_is_refused_with_the_way_out(
    writer: SnapshotWriter, reader: SnapshotReader, entry: MakeEntry, now_us: int, directory: Path
) -> None:
    directory.mkdir()
    old = [directory / "snapshot-0000000012.fbs", directory / "snapshot-0000000012.fbd"]
    for path in (*old, directory / "current"):
        path.write_bytes(b"FLYBSNAP\1")
    assert not reader.refresh()
    assert isinstance(reader.error, BundleOutdated)
    assert "format 1" in str(reader.error)
    assert "flyball serve" in str(reader.error)
    # A writer that comes now passes it, and clears it away.
    fresh = SnapshotWriter(directory, writer._key)
    version = fresh.publish_all([entry("a")], aliases={}, created_us=now_us, as_of_us=now_us)
    assert version == Version(13, 0)
    assert reader.refresh()
    assert _error(reader) is None
    assert not any(path.exists() for path in (*old, directory / "current"))


def test_a_snapshot_signed_by_another_key_is_refused(
    writer: SnapshotWriter, reader: SnapshotReader, entry: MakeEntry, now_us: int, directory: Path
) -> None:
    writer.publish_all([entry("a")], aliases={}, created_us=now_us, as_of_us=now_us)
    reader.refresh()
    stranger = SnapshotWriter(directory, Ed25519PrivateKey.generate())
    stranger.publish_all(
        [entry("a", served_arm=70)], aliases={}, created_us=now_us, as_of_us=now_us
    )
    assert not reader.refresh()
    assert isinstance(reader.error, SignatureInvalid)
    assert multiplier(reader, "a", now_us) == 0.85


def test_a_delta_of_another_base_is_refused(
    writer: SnapshotWriter,
    reader: SnapshotReader,
    entry: MakeEntry,
    now_us: int,
    directory: Path,
    tmp_path: Path,
    key: Ed25519PrivateKey,
) -> None:
    writer.publish_all([entry("a")], aliases={}, created_us=now_us, as_of_us=now_us)
    other = SnapshotWriter(tmp_path / "other", key)
    other.publish_all([entry("b")], aliases={}, created_us=now_us, as_of_us=now_us)
    other.publish_changes([entry("b", served_arm=70)], created_us=now_us, as_of_us=now_us)
    name = base_name(Version(1, 0))
    foreign = delta_path(tmp_path / "other" / name).read_bytes()
    delta_path(directory / name).write_bytes(foreign)
    reader.refresh()
    assert reader.version == Version(1, 0)
    assert reader.error is not None
    assert multiplier(reader, "a", now_us) == 0.85


def test_a_replayed_delta_frame_is_refused(
    writer: SnapshotWriter, reader: SnapshotReader, entry: MakeEntry, now_us: int, directory: Path
) -> None:
    writer.publish_all([entry("a")], aliases={}, created_us=now_us, as_of_us=now_us)
    writer.publish_changes([entry("a", served_arm=70)], created_us=now_us, as_of_us=now_us)
    path = delta_path(directory / base_name(Version(1, 0)))
    path.write_bytes(path.read_bytes() * 2)
    reader.refresh()
    assert reader.version == Version(1, 1)
    assert reader.error is not None


@pytest.mark.parametrize(
    "name",
    ["current", "snapshot-1-2.fbs", "snapshot-9999999999-9999999999.fbs.part", "snapshot-9.fbs"],
)
def test_other_files_change_nothing(
    name: str,
    writer: SnapshotWriter,
    reader: SnapshotReader,
    entry: MakeEntry,
    now_us: int,
    directory: Path,
) -> None:
    writer.publish_all([entry("a")], aliases={}, created_us=now_us, as_of_us=now_us)
    reader.refresh()
    (directory / name).write_bytes(b"../../etc/passwd\n")
    assert not reader.refresh()
    assert reader.error is None
    assert multiplier(reader, "a", now_us) == 0.85


def test_a_cold_start_serves_the_last_known_good_from_disk(
    writer: SnapshotWriter,
    entry: MakeEntry,
    now_us: int,
    directory: Path,
    key: Ed25519PrivateKey,
) -> None:
    writer.publish_all([entry("a", served_arm=130)], aliases={}, created_us=now_us, as_of_us=now_us)
    cold = SnapshotReader(directory, key.public_key())
    cold.refresh()
    answer = json.loads(cold.answer("a", now_us + 3_600_000_000))
    assert (answer["source"], answer["dynamicMultiplier"]) == ("last_known_good", 1.3)
