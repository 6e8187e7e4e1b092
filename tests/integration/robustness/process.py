"""Flyball as its users start it: real processes, real sockets, bounded time."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from commands.main import run

REPOSITORY = Path(__file__).resolve().parents[3]
PATIENCE_S = 30.0


@dataclass(frozen=True)
class Ended:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def calm(self) -> bool:
        """Whether nobody was shown a stack trace."""
        return "Traceback" not in self.err + self.out


def command_line(home: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "commands", "--home", str(home), *arguments]


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "FLYBALL_HOME"}
    return {**kept, "PYTHONPATH": str(REPOSITORY), "FLYBALL_AUTHOR": "test", **more}


def flyball(
    home: Path,
    *arguments: str,
    prefix: Sequence[str] = (),
    before: Callable[[], None] | None = None,
) -> Ended:
    """Run one command to its end."""
    done = subprocess.run(
        [*prefix, *command_line(home, *arguments)],
        capture_output=True,
        text=True,
        errors="replace",
        env=environment(),
        timeout=60,
        check=False,
        preexec_fn=before,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


class Typed:
    """Runs commands in this process, where a second of start-up a time would be too much.

    An exception that the command line does not expect comes out of it and fails the test.
    """

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, home: Path, *arguments: str) -> Ended:
        self._capsys.readouterr()
        code = run(["--home", str(home), *arguments])
        shown = self._capsys.readouterr()
        return Ended(code, shown.out, shown.err)


def until(true: Callable[[], Any], *, seconds: float = PATIENCE_S, what: str = "") -> Any:
    """Wait for something to become true; its value."""
    deadline = time.monotonic() + seconds
    while True:
        value = true()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what or true}")
        time.sleep(0.03)


class Service:
    """One ``flyball serve`` under way."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, out: Path) -> None:
        self.process = process
        self.log = log
        self.port = int(until(lambda: self._port(out), what="the port").group(1))

    def _port(self, out: Path) -> re.Match[str] | None:
        assert self.process.poll() is None, self.said
        return re.search(r"http://127\.0\.0\.1:(\d+) ", out.read_text())

    @property
    def said(self) -> str:
        """Everything that its processes logged."""
        return self.log.read_text(errors="replace")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, token: str | None = None) -> httpx2.Client:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return httpx2.Client(base_url=self.url, headers=headers, timeout=10)

    def ready(self, token: str | None = None) -> Service:
        """Wait for a snapshot to answer from."""
        with self.client(token) as client:

            def answered() -> bool:
                try:
                    return client.get("/readyz").status_code == 200
                except httpx2.TimeoutException:
                    # The supervisor listens at once; a busy machine may take long for a worker.
                    return False

            until(answered, what=self.said)
        return self

    def decided(self) -> Service:
        """Wait for the control loop's first pass."""
        until(lambda: '"event": "decided"' in self.said, what=self.said)
        return self

    def decision(self, name: str, token: str | None = None) -> dict[str, Any]:
        with self.client(token) as client:
            answer = client.get(f"/v1/decisions/{name}")
            answer.raise_for_status()
            found: dict[str, Any] = answer.json()
            return found

    def children(self, word: str) -> list[int]:
        """Process ids of its children whose command line contains ``word``."""
        return children_of(self.process.pid, word)

    def stop(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)


def children_of(parent: int, word: str = "") -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                status = (entry / "stat").read_text().rpartition(")")[2].split()
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if int(status[1]) == parent and word in line and status[0] != "Z":
                found.append(int(entry.name))
    return found


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@contextmanager
def serving(
    home: Path,
    *arguments: str,
    port: int = 0,
    prefix: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
) -> Iterator[Service]:
    """``flyball serve`` for the length of the block, and what it logs beside the home."""
    out, log = home.with_name(f"{home.name}.out"), home.with_name(f"{home.name}.log")
    options = ("--port", str(port), "--workers", "1", *arguments)
    with out.open("wb") as stdout, log.open("ab") as stderr:
        process = subprocess.Popen(
            [*prefix, *command_line(home, "serve", *options)],
            stdout=stdout,
            stderr=stderr,
            env=environment(PYTHONUNBUFFERED="1", **(variables or {})),
            start_new_session=True,
        )
    try:
        yield Service(process, log, out)
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
