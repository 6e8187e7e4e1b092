"""A directory is listed again whenever it can be another one, and not more often than needed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from serving.snapshot.entry import Entry
from serving.snapshot.listing import MOST_SECONDS, SETTLED_NS, Listing
from serving.snapshot.reader import SnapshotReader
from serving.snapshot.writer import SnapshotWriter

Publish = Callable[..., None]


def settle(directory: Path) -> None:
    """As if nothing had changed there for a minute."""
    then_ns = time.time_ns() - 60 * 10**9
    os.utime(directory, ns=(then_ns, then_ns))


def test_names_that_were_listed_hold_until_the_directory_changes(tmp_path: Path) -> None:
    settle(tmp_path)
    listing = Listing(tmp_path, seconds=lambda: 0.0)
    assert not listing.holds()
    listing.begin()
    assert listing.holds()
    (tmp_path / "new").touch()
    assert not listing.holds()


def test_a_directory_that_has_just_changed_may_change_again_under_the_same_time(
    tmp_path: Path,
) -> None:
    changed_ns = tmp_path.stat().st_mtime_ns
    now_ns = 0
    listing = Listing(tmp_path, wall_ns=lambda: now_ns, seconds=lambda: 0.0)
    for since_ns, holds in ((0, False), (SETTLED_NS - 1, False), (SETTLED_NS, True)):
        now_ns = changed_ns + since_ns
        listing.begin()
        assert listing.holds() is holds


def test_a_time_that_lies_ahead_is_not_relied_on(tmp_path: Path) -> None:
    listing = Listing(tmp_path, wall_ns=lambda: 0, seconds=lambda: 0.0)
    listing.begin()
    assert not listing.holds()


def test_it_is_listed_every_second_however_it_looks(tmp_path: Path) -> None:
    settle(tmp_path)
    now = 5.0
    listing = Listing(tmp_path, seconds=lambda: now)
    listing.begin()
    now += MOST_SECONDS / 2
    assert listing.holds()
    now += MOST_SECONDS / 2
    assert not listing.holds()


def test_a_directory_that_is_not_there_is_asked_for_again(tmp_path: Path) -> None:
    listing = Listing(tmp_path / "later", seconds=lambda: 0.0)
    listing.begin()
    assert not listing.holds()


@pytest.fixture
def publish(writer: SnapshotWriter, entry: Callable[..., Entry], now_us: int) -> Publish:
    """Writes a base of one tenant; its keywords are the entry's."""

    def everybody(**changes: int) -> None:
        writer.publish_all([entry(**changes)], aliases={}, created_us=now_us, as_of_us=now_us)

    return everybody


@pytest.fixture
def at_rest(publish: Publish, reader: SnapshotReader, directory: Path) -> SnapshotReader:
    """A reader that has taken over a base, in a directory where nothing has moved since."""
    publish()
    settle(directory)
    assert reader.refresh()
    return reader


def test_a_reader_at_rest_takes_over_frames_and_bases(
    at_rest: SnapshotReader,
    publish: Publish,
    writer: SnapshotWriter,
    entry: Callable[..., Entry],
    now_us: int,
    directory: Path,
) -> None:
    assert not at_rest.refresh()
    writer.publish_changes([entry(served_arm=70)], created_us=now_us, as_of_us=now_us)
    assert at_rest.refresh()
    settle(directory)
    assert not at_rest.refresh()
    publish(served_arm=115)
    assert at_rest.refresh()
    assert at_rest.lookup("ent_1", now_us).arm == 115


def test_a_base_that_is_refused_is_said_at_every_look(
    at_rest: SnapshotReader, directory: Path
) -> None:
    (directory / "snapshot-0000000009-0000000000.fbs").write_bytes(b"no snapshot")
    settle(directory)
    for _ in range(3):
        assert not at_rest.refresh()
        assert at_rest.error is not None
