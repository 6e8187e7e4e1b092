"""Only the holder of the lease publishes, and what others write takes no reader back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from flyball.errors import (
    Refused,
)
from serving.snapshot.entry import Entry
from serving.snapshot.reader import SnapshotReader
from serving.snapshot.version import Version
from serving.snapshot.writer import SnapshotWriter
from tests.unit.serving.answered import multiplier

MakeEntry = Callable[..., Entry]


class Lease:
    """A fence whose lease a test moves."""

    def __init__(self, epoch: int) -> None:
        self.held: int | None = epoch

    def epoch(self) -> int:
        if self.held is None:
            raise Refused("The lease is lost.")
        return self.held


def test_a_writer_without_its_lease_publishes_nothing(
    reader: SnapshotReader, entry: MakeEntry, now_us: int, directory: Path, key: Ed25519PrivateKey
) -> None:
    lease = Lease(5)
    writer = SnapshotWriter(directory, key, lease)
    writer.publish_all([entry("a")], aliases={}, created_us=now_us, as_of_us=now_us)
    reader.refresh()
    lease.held = None
    with pytest.raises(Refused):
        writer.publish_changes([entry("a", served_arm=70)], created_us=now_us, as_of_us=now_us)
    with pytest.raises(Refused):
        writer.publish_all([entry("a")], aliases={}, created_us=now_us, as_of_us=now_us)
    assert not reader.refresh()
    # It comes back under another epoch, and that begins with a base.
    lease.held = 7
    changed = [entry("b", served_arm=70)]
    assert writer.publish_changes(changed, created_us=now_us, as_of_us=now_us) == Version(7, 0)
    reader.refresh()
    assert (multiplier(reader, "a", now_us), multiplier(reader, "b", now_us)) == (0.85, 0.7)


def test_whatever_a_stale_holder_still_writes_no_reader_goes_back(
    reader: SnapshotReader, entry: MakeEntry, now_us: int, directory: Path, key: Ed25519PrivateKey
) -> None:
    stale = SnapshotWriter(directory, key, Lease(1))
    stale.publish_all([entry("a")], aliases={}, created_us=now_us, as_of_us=now_us)
    reader.refresh()
    # The new holder's clock is behind; its epoch counts.
    fresh = SnapshotWriter(directory, key, Lease(2))
    fresh.publish_all(
        [entry("a", served_arm=115)], aliases={}, created_us=now_us - 10**9, as_of_us=now_us
    )
    stale.publish_changes([entry("a", served_arm=70)], created_us=now_us, as_of_us=now_us)
    stale.publish_all([entry("a", served_arm=70)], aliases={}, created_us=now_us, as_of_us=now_us)
    cold = SnapshotReader(directory, key.public_key())
    for one in (reader, cold):
        one.refresh()
        assert one.version == Version(2, 0)
        assert multiplier(one, "a", now_us) == 1.15


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
