"""What changes reaches every reader, in frames or as a new base, whole and in order."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from flyball.errors import (
    InvalidInput,
    NotFound,
    ReadOnlyHome,
)
from serving.snapshot.entry import Entry
from serving.snapshot.reader import SnapshotReader
from serving.snapshot.version import Version
from serving.snapshot.writer import SnapshotWriter
from tests.unit.serving.answered import multiplier

MakeEntry = Callable[..., Entry]


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
    assert reader.version == Version(1, 11)
    names = sorted(path.name for path in directory.glob("snapshot-*"))
    assert [name for name in names if name.endswith("s")] == [
        "snapshot-0000000001-0000000004.fbs",
        "snapshot-0000000001-0000000008.fbs",
    ]


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
        patch.setattr("serving.snapshot.writer.append_at", full)
        with pytest.raises(ReadOnlyHome):
            writer.publish_changes([entry("a", served_arm=70)], created_us=now_us, as_of_us=now_us)
    writer.publish_changes([], created_us=now_us, as_of_us=now_us)
    reader.refresh()
    # The failed frame may have been seen: its number is not used again.
    assert reader.version == Version(1, 2)
    assert multiplier(reader, "a", now_us) == 0.7


def test_a_clock_set_back_does_not_stop_the_frames(
    writer: SnapshotWriter, reader: SnapshotReader, entry: MakeEntry, now_us: int
) -> None:
    writer.publish_all([entry("a")], aliases={}, created_us=now_us, as_of_us=now_us)
    earlier = now_us - 3_600_000_000
    writer.publish_changes([entry("a", served_arm=70)], created_us=earlier, as_of_us=earlier)
    reader.refresh()
    assert reader.error is None
    assert reader.version == Version(1, 1)


def test_a_reader_names_who_changed_since_a_version(
    writer: SnapshotWriter, reader: SnapshotReader, entry: MakeEntry, now_us: int
) -> None:
    entries = [entry(name) for name in "abcd"]
    writer.publish_all(entries, aliases={}, created_us=now_us, as_of_us=now_us)
    for name in "bc":
        changed = [entry(name, served_arm=70)]
        writer.publish_changes(changed, created_us=now_us, as_of_us=now_us)
    writer.publish_changes([entry("new")], created_us=now_us, as_of_us=now_us)
    assert reader.changed_since(Version(1, 0)) is None
    reader.refresh()
    assert reader.changed_since(Version(1, 0)) == frozenset({"b", "c", "new"})
    assert reader.changed_since(Version(1, 2)) == frozenset({"new"})
    assert reader.changed_since(Version(1, 3)) == frozenset()
    for unknown in (Version(0, 9), Version(1, 4), Version(2, 0)):
        assert reader.changed_since(unknown) is None


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
