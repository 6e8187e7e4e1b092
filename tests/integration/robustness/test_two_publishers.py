"""Two publishers of one home: one at a time, and a stale one never counts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flyball.home import Home
from models.signature import load_public_key
from serving.snapshot.reader import SnapshotReader
from serving.snapshot.version import Version
from tests.integration.robustness.process import environment, until

LEASE_SECONDS = 2


class Publisher:
    """One control loop as a process, and what it logs."""

    def __init__(self, home: Path, log: Path) -> None:
        self._log = log
        with log.open("ab") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "serving.control_process", "--home", str(home)],
                stdout=stderr,
                stderr=stderr,
                env=environment(),
            )

    def said(self, event: str) -> int:
        return self._log.read_text(errors="replace").count(f'"event": "{event}"')

    def signal(self, number: int) -> None:
        self.process.send_signal(number)


class Watcher:
    """A reader that looks all the time and notes every version that it sees."""

    def __init__(self, home: Home) -> None:
        self.reader = SnapshotReader(home.snapshot, load_public_key(home.verify_key))
        self.seen: list[Version] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    @property
    def epoch(self) -> int:
        version = self.reader.version
        return 0 if version is None else version.epoch

    def _run(self) -> None:
        while not self._stop.is_set():
            if self.reader.refresh() and self.reader.version is not None:
                self.seen.append(self.reader.version)
            time.sleep(0.005)

    @contextmanager
    def watching(self) -> Iterator[Watcher]:
        self._thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            self._thread.join(10)


@pytest.fixture
def publishers(home: Path, tmp_path: Path) -> Iterator[tuple[Publisher, Publisher]]:
    (home / "flyball.toml").write_text(
        f"[decisions]\nlease_seconds = {LEASE_SECONDS}\nheartbeat_seconds = 1\n"
    )
    first = Publisher(home, tmp_path / "first.log")
    until(lambda: first.said("decided"), what="the first decides")
    second = Publisher(home, tmp_path / "second.log")
    yield first, second
    for one in (first, second):
        if one.process.poll() is None:
            # A stopped process takes no other signal.
            one.signal(signal.SIGCONT)
            one.signal(signal.SIGTERM)
            try:
                one.process.wait(20)
            except subprocess.TimeoutExpired:
                one.process.kill()
                one.process.wait()


def test_a_stale_publisher_never_counts(
    home: Path, publishers: tuple[Publisher, Publisher]
) -> None:
    first, second = publishers
    with Watcher(Home(home)).watching() as watcher:
        until(lambda: watcher.epoch)
        began = watcher.epoch
        until(lambda: second.said("standing_by"), what="the second stands by")
        # The lease is renewed: it lasts as long as its holder does.
        time.sleep(LEASE_SECONDS * 1.5)
        assert watcher.epoch == began
        assert second.said("decided") == 0

        first.signal(signal.SIGSTOP)
        until(lambda: watcher.epoch == began + 1, what="the second takes over")
        passes = first.said("decided")
        first.signal(signal.SIGCONT)
        until(lambda: first.said("standing_by"), what="the first notices")
        newest = max(watcher.seen)
        until(lambda: watcher.seen[-1] > newest, what="the second goes on")
        assert watcher.epoch == began + 1
        assert first.said("decided") == passes

        # Killed, it leaves its lease behind; nobody needs to wait for it.
        os.kill(second.process.pid, signal.SIGKILL)
        second.process.wait()
        until(lambda: watcher.epoch == began + 2, what="the first takes over again")
    assert watcher.seen == sorted(set(watcher.seen)), "versions only grow, each seen once"
    late = SnapshotReader(Home(home).snapshot, load_public_key(Home(home).verify_key))
    late.refresh()
    assert late.version is not None
    assert late.version.epoch == began + 2
