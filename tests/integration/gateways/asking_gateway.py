"""A real gateway that asks Flyball before each request, spoken to as its clients do."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

GATEWAYS = Path(__file__).resolve().parents[3] / "gateways"
#: Where a test is about counts and not about time, and the machine may be busy.
UNHURRIED = "5.000s"


_numbers = itertools.count(1)


def fresh_tenants() -> tuple[str, str]:
    """Whose the two keys of a shipped configuration are: nobody of whom anything is counted yet."""
    number = next(_numbers)
    return f"acme_{number}", f"globex_{number}"


def replaced(text: str, changes: Mapping[str, str]) -> str:
    """A shipped configuration with its example values replaced; each must be there."""
    for old, new in changes.items():
        assert old in text, f"{old} is not in the configuration"
        text = text.replace(old, new)
    return text


@dataclass
class AskingGateway:
    """A gateway under way, before a service that answers with the headers that reached it."""

    port: int
    client: httpx2.Client
    log: Path
    tenants: tuple[str, str]
    pid: int = 0
    passed: dict[str, int] = field(default_factory=dict)

    def get(
        self, key: str | None = "demo-key-1", path: str = "/v1/things", **headers: str
    ) -> httpx2.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if key is not None:
            named["x-api-key"] = key
        answer = self.client.get(f"http://127.0.0.1:{self.port}{path}", headers=named)
        # What passes uncounted is not what a limit lets pass.
        held = answer.status_code == 200 and answer.headers.get("flyball-state") == "fresh"
        if key is not None:
            self.passed[key] = self.passed.get(key, 0) + held
        return answer

    def passing(self, key: str = "demo-key-1", most: int = 10_000) -> int:
        """How many pass before the first that does not."""
        count = 0
        while count < most and self.get(key).status_code == 200:
            count += 1
        return count

    def wait_for(
        self, true: Callable[[httpx2.Response], object], *, key: str = "demo-key-1"
    ) -> float:
        """Ask until an answer is as it should be; how long that took, in seconds."""
        began = time.monotonic()
        while not true(answer := self.get(key)):
            assert time.monotonic() - began < 20, (answer.status_code, answer.headers)
            time.sleep(0.03)
        return time.monotonic() - began

    def kill(self) -> None:
        """SIGKILL: it ends with whatever it had in hand."""
        os.kill(self.pid, signal.SIGKILL)

    def wait_for_state(self, state: str) -> float:
        return self.wait_for(lambda answer: answer.headers.get("flyball-state") == state)

    def wait_for_limit(self, limit: int, key: str = "demo-key-1") -> float:
        return self.wait_for(
            lambda answer: answer.headers.get("x-ratelimit-limit") == str(limit), key=key
        )

    def reached(self, **headers: str) -> dict[str, Any]:
        """The headers (lower case) with which a request reaches the service behind."""
        answer = self.get(**headers)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


@contextmanager
def running(
    command: Sequence[str],
    port: int,
    folder: Path,
    tenants: tuple[str, str],
    *,
    environment: Mapping[str, str] | None = None,
) -> Iterator[AskingGateway]:
    """Run a gateway that listens on ``port`` for the length of the block."""
    log = folder / "gateway.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=out, env={**os.environ, **(environment or {})}, cwd=folder
        )
    with httpx2.Client(timeout=20, trust_env=False) as client:
        gateway = AskingGateway(port, client, log, tenants, process.pid)
        try:
            ends = time.monotonic() + 30
            while True:
                try:
                    gateway.get(key=None)
                    break
                except httpx2.HTTPError:
                    assert process.poll() is None, log.read_text()
                    assert time.monotonic() < ends, log.read_text()
                    time.sleep(0.05)
            yield gateway
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
