"""Files that must not be used are refused, and what was served before stays served."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from flyball.errors import BundleOutdated, InvalidInput, NotFound, ReadOnlyHome, SignatureInvalid
from serving.snapshot.entry import Entry
from serving.snapshot.reader import SnapshotReader
from serving.snapshot.version import Version, delta_path
from serving.snapshot.writer import SnapshotWriter

MakeEntry = Callable[..., Entry]


def multiplier(reader: SnapshotReader, name: str, now_us: int) -> float:
    value = json.loads(reader.answer(name, now_us))["dynamicMultiplier"]
    assert isinstance(value, float)
    return value


def test_deltas_change_add_and_rename(
    writer: SnapshotWriter, reader: SnapshotReader, entry: MakeEntry, now_us: int
) -> None:
    entries = [entry(f"t{i}") for i in range(20)]
    writer.publish_all(entries, aliases={"k": "t1"}, created_us=now_us, as_of_us=now_us)
    assert reader.refresh()
    assert reader.version == Version(1, 0)
    writer.publish_changes(
        [entry("t3", served_arm=115, reasons=("new_word",)), entry("new", served_arm=70)],
        aliases={"k": "new", "k2": "t3"},
        created_us=now_us,
        as_of_us=now_us,
    )
    assert reader.refresh()
    assert reader.version == Version(1, 1)
    assert reader.etag == '"1.1"'
    assert multiplier(reader, "t3", now_us) == 1.15
    assert multiplier(reader, "k2", now_us) == 1.15
    assert json.loads(reader.answer("t3", now_us))["reasons"] == ["new_word"]
    assert json.loads(reader.answer("k", now_us))["tenantId"] == "new"
    assert multiplier(reader, "t4", now_us) == 0.85
    assert reader.tenants == 21
    writer.publish_changes([], aliases={"k2": None}, created_us=now_us, as_of_us=now_us)
    reader.refresh()
    assert json.loads(reader.answer("k2", now_us))["source"] == "unknown_tenant"
    assert not reader.refresh()


def test_a_late_reader_sees_the_same_as_one_that_followed(
    writer: SnapshotWriter,
    reader: SnapshotReader,
    entry: MakeEntry,
    now_us: int,
    directory: Path,
    key: Ed25519PrivateKey,
) -> None:
    writer.publish_all([entry("a")], aliases={}, created_us=now_us, as_of_us=now_us)
    for arm in (70, 100, 115):
        writer.publish_changes([entry("a", served_arm=arm)], created_us=now_us, as_of_us=now_us)
        reader.refresh()
    late = SnapshotReader(directory, key.public_key())
    late.refresh()
    assert late.version == reader.version == Version(1, 3)
    assert late.answer("a", now_us) == reader.answer("a", now_us)


def test_many_changes_become_a_new_base_and_old_files_go(
    writer: SnapshotWriter,
    reader: SnapshotReader,
    entry: MakeEntry,
    now_us: int,
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("serving.snapshot.writer.MIN_DELTA_RECORDS", 3)
    writer.publish_all([entry("a")], aliases={"k": "a"}, created_us=now_us, as_of_us=now_us)
    for arm in (70, 115, 100, 85, 130, 70, 115, 100, 85, 70, 130):
        writer.publish_changes([entry("a", served_arm=arm)], created_us=now_us, as_of_us=now_us)
        reader.refresh()
        assert multiplier(reader, "k", now_us) == arm / 100
    assert reader.version is not None
    assert reader.version.epoch == 3
    names = sorted(path.name for path in directory.glob("snapshot-*"))
    assert [name for name in names if name.endswith("s")] == [
        "snapshot-0000000002.fbs",
        "snapshot-0000000003.fbs",
    ]


def test_a_restarted_writer_never_goes_back(
    writer: SnapshotWriter,
    reader: SnapshotReader,
    entry: MakeEntry,
    now_us: int,
    directory: Path,
    key: Ed25519PrivateKey,
) -> None:
    writer.publish_all([entry("a")], aliases={}, created_us=now_us, as_of_us=now_us)
    writer.publish_changes([entry("a", served_arm=70)], created_us=now_us, as_of_us=now_us)
    reader.refresh()
    again = SnapshotWriter(directory, key)
    assert again.version is None
    version = again.publish_changes(
        [entry("a", served_arm=115)], created_us=now_us, as_of_us=now_us
    )
    assert version == Version(2, 0)
    assert reader.refresh()
    assert multiplier(reader, "a", now_us) == 1.15


def test_an_older_epoch_is_refused(
    writer: SnapshotWriter, reader: SnapshotReader, entry: MakeEntry, now_us: int, directory: Path
) -> None:
    writer.publish_all([entry("a")], aliases={}, created_us=now_us, as_of_us=now_us)
    old = (directory / "current").read_bytes()
    writer.publish_all([entry("a", served_arm=115)], aliases={}, created_us=now_us, as_of_us=now_us)
    reader.refresh()
    (directory / "current").write_bytes(old)
    assert not reader.refresh()
    assert isinstance(reader.error, BundleOutdated)
    assert multiplier(reader, "a", now_us) == 1.15


def test_an_old_file_under_a_new_name_is_refused(
    writer: SnapshotWriter, reader: SnapshotReader, entry: MakeEntry, now_us: int, directory: Path
) -> None:
    writer.publish_all([entry("a")], aliases={}, created_us=now_us, as_of_us=now_us)
    reader.refresh()
    first = directory / "snapshot-0000000001.fbs"
    (directory / "snapshot-0000000009.fbs").write_bytes(first.read_bytes())
    (directory / "current").write_text("snapshot-0000000009.fbs\n")
    assert not reader.refresh()
    assert isinstance(reader.error, BundleOutdated)


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
    name = "snapshot-0000000001.fbs"
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
    path = delta_path(directory / "snapshot-0000000001.fbs")
    path.write_bytes(path.read_bytes() * 2)
    reader.refresh()
    assert reader.version == Version(1, 1)
    assert reader.error is not None


@pytest.mark.parametrize("pointer", [b"", b"../../etc/passwd\n", b"\xff\xfe", b"snapshot-1.fbs"])
def test_a_damaged_pointer_changes_nothing(
    pointer: bytes,
    writer: SnapshotWriter,
    reader: SnapshotReader,
    entry: MakeEntry,
    now_us: int,
    directory: Path,
) -> None:
    writer.publish_all([entry("a")], aliases={}, created_us=now_us, as_of_us=now_us)
    reader.refresh()
    (directory / "current").write_bytes(pointer)
    assert not reader.refresh()
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


def test_a_failed_write_is_made_up_for_by_a_base(
    writer: SnapshotWriter,
    reader: SnapshotReader,
    entry: MakeEntry,
    now_us: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    writer.publish_all([entry("a")], aliases={}, created_us=now_us, as_of_us=now_us)

    def full(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr("serving.snapshot.writer._append", full)
        with pytest.raises(ReadOnlyHome):
            writer.publish_changes([entry("a", served_arm=70)], created_us=now_us, as_of_us=now_us)
    writer.publish_changes([], created_us=now_us, as_of_us=now_us)
    reader.refresh()
    assert reader.version == Version(2, 0)
    assert multiplier(reader, "a", now_us) == 0.7


def test_what_does_not_fit_a_record_is_an_error(
    writer: SnapshotWriter, entry: MakeEntry, now_us: int
) -> None:
    for wrong in ({"window_seconds": 61}, {"upgrade_probability": 1.5}):
        with pytest.raises(InvalidInput):
            writer.publish_all(
                [entry("a", **wrong)], aliases={}, created_us=now_us, as_of_us=now_us
            )
    writer.publish_all([entry("a")], aliases={}, created_us=now_us, as_of_us=now_us)
    with pytest.raises(NotFound):
        writer.publish_changes([], aliases={"k": "nobody"}, created_us=now_us, as_of_us=now_us)


def test_a_reader_in_another_thread_never_sees_half_a_record(
    writer: SnapshotWriter,
    reader: SnapshotReader,
    entry: MakeEntry,
    now_us: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("serving.snapshot.writer.MIN_DELTA_RECORDS", 400)
    # Every field follows the arm, so that a mixture of two versions would show.
    arms = (70, 85, 115, 130)
    names = [f"t{i}" for i in range(50)]

    def version_of(arm: int) -> list[Entry]:
        return [
            entry(
                name,
                served_arm=arm,
                base_limit=arm * 1_000,
                reasons=(f"reason_{arm}",),
                model_version=str(arm),
                upgrade_probability=arm / 1_000,
            )
            for name in names
        ]

    writer.publish_all(version_of(70), aliases={}, created_us=now_us, as_of_us=now_us)
    reader.refresh()
    wrong: list[str] = []
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            for name in names:
                answer = json.loads(reader.answer(name, now_us))
                arm = round(answer["dynamicMultiplier"] * 100)
                fine = (
                    answer["baseLimit"] == arm * 1_000
                    and answer["reasons"] == [f"reason_{arm}"]
                    and answer["modelVersion"] == str(arm)
                    and answer["upsellProbability"] == arm / 1_000
                )
                if not fine:
                    wrong.append(str(answer))

    threads = [threading.Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for step in range(60):
            changed = version_of(arms[step % len(arms)])
            writer.publish_changes(changed, created_us=now_us, as_of_us=now_us)
            reader.refresh()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not wrong
    assert reader.error is None
