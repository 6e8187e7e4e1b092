"""The threads of a node: what has come is taken over at once, not at the next look."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flyball.instant import SECOND_US
from models.signature import create_keypair, load_private_key, load_public_key
from serving.node import follower
from serving.node.follower import Follower
from serving.node.node import Node
from serving.snapshot.version import Version
from serving.snapshot.writer import SnapshotWriter
from tests.integration.service.running import entry

NOW = 1_767_571_200 * SECOND_US


class Mirrored:
    """A mirror that a test lets take something."""

    refused = False
    when_taken: Callable[[], None]

    def run(self, stop: threading.Event) -> None:
        stop.wait()

    def close(self) -> None: ...


class SeenNode(Node):
    """Says when it has taken something over."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "snapshot", load_public_key(folder / "signing.pub"))
        self.changed = threading.Event()

    def refresh(self, now_us: int) -> bool:
        changed = super().refresh(now_us)
        if changed:
            self.changed.set()
        return changed


@pytest.fixture
def writer(tmp_path: Path) -> SnapshotWriter:
    create_keypair(tmp_path / "signing.pem", tmp_path / "signing.pub")
    return SnapshotWriter(tmp_path / "snapshot", load_private_key(tmp_path / "signing.pem"))


@pytest.fixture
def running(
    tmp_path: Path, writer: SnapshotWriter, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[SeenNode, Mirrored, Follower]]:
    monkeypatch.setattr(follower, "REFRESH_SECONDS", 3_600)  # nothing comes of looking
    node, mirrored = SeenNode(tmp_path), Mirrored()
    running = Follower(node, mirrored, now_us=lambda: NOW)
    running.start()
    yield node, mirrored, running
    running.stop()


def publish(writer: SnapshotWriter, arm: int) -> Version:
    return writer.publish_changes([entry("ent_1", arm, base=100)], created_us=NOW, as_of_us=NOW)


def test_what_has_come_is_taken_over_without_waiting_for_the_next_look(
    running: tuple[SeenNode, Mirrored, Follower], writer: SnapshotWriter
) -> None:
    node, mirrored, _ = running
    for arm in (85, 70):
        node.changed.clear()
        version = publish(writer, arm)
        assert not node.changed.is_set()
        mirrored.when_taken()
        assert node.changed.wait(30)
        assert node.version == version


def test_a_stopped_follower_leaves_no_thread_behind(
    running: tuple[SeenNode, Mirrored, Follower],
) -> None:
    running[2].stop()
    assert not [t for t in threading.enumerate() if t.name.startswith("flyball-")]
