"""``flyball serve`` as a process over a home whose snapshot the test publishes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import httpx2

from flyball.home import Home
from models.signature import create_keypair, load_private_key
from serving.snapshot.entry import Entry
from serving.snapshot.writer import SnapshotWriter
from tests.integration.robustness.process import environment
from tests.integration.service.running import entry

PATIENCE_S = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def now_us() -> int:
    return time.time_ns() // 1_000


class Server:
    """A service that can die and come back at the same address."""

    def __init__(self, root: Path, *options: str) -> None:
        self.home = Home(root)
        self._options = options
        create_keypair(self.home.signing_key, self.home.verify_key)
        self.writer = SnapshotWriter(self.home.snapshot, load_private_key(self.home.signing_key))
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.publish_all(entry("ent_1", 100, base=100), entry("ent_2", 100, base=100))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def key(self) -> Path:
        return self.home.verify_key

    def publish_all(self, *entries: Entry, aliases: Mapping[str, str] | None = None) -> None:
        self.writer.publish_all(
            entries, aliases=aliases or {}, created_us=now_us(), as_of_us=now_us()
        )

    def publish(self, *entries: Entry) -> None:
        self.writer.publish_changes(entries, created_us=now_us(), as_of_us=now_us())

    def start(self) -> None:
        """Start it, if it is not running."""
        if self._process is not None:
            return
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "commands", "--home", str(self.home.root), "serve"),
                *("--data-path-only", "--workers", "1", "--port", str(self.port)),
                *self._options,
            ],
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        ends = time.monotonic() + PATIENCE_S
        while True:
            try:
                if httpx2.get(f"{self.url}/readyz", timeout=5).status_code == 200:
                    return
            except httpx2.HTTPError:
                pass
            assert time.monotonic() < ends, "flyball serve does not start"
            time.sleep(0.05)

    def pause(self) -> None:
        """It is there, but does not answer."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL to it and its children."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(10)
            self._process = None
