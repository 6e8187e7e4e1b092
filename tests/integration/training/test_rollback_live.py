"""A rollback while a client keeps asking: every request is answered, soon with multiplier 1."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import httpx2
import pytest

from flyball.home import Home
from models.signature import load_private_key, load_public_key
from serving.listening import listen_tcp
from serving.snapshot.writer import SnapshotWriter
from serving.worker import Worker
from serving.worker_process import server_of
from tests.integration.service.running import Service, entry
from tests.integration.training.live_weeks import LATER, live_weeks
from training.publisher import publish_champion
from training.withdrawal import Withdrawal, guard

pytestmark = pytest.mark.train

HASH = "ab" * 8


@pytest.fixture
def service(home: Home) -> Iterator[Service]:
    """One worker that serves a tightened tenant of the trained home."""
    writer = SnapshotWriter(home.snapshot, load_private_key(home.signing_key))
    worker = Worker(home, load_public_key(home.verify_key))
    sock = listen_tcp("127.0.0.1", 0)
    server = server_of(worker)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    running = Service(home, worker, writer, sock.getsockname()[1], server)
    running.publish(entry("ent_1", 85))
    worker.keep_fresh()
    yield running
    server.should_exit = True
    thread.join(10)
    worker.close()
    sock.close()


class Client:
    """Asks for one tenant's decision again and again, and keeps what it was told."""

    def __init__(self, url: str) -> None:
        self.answers: list[tuple[float, int, float]] = []
        self._url, self._stop = url, threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def __enter__(self) -> Client:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def _ask(self) -> None:
        with httpx2.Client(base_url=self._url, timeout=10) as client:
            while not self._stop.is_set():
                answer = client.get("/v1/decisions/ent_1")
                said = answer.json().get("dynamicMultiplier", float("nan"))
                self.answers.append((time.monotonic(), answer.status_code, said))
                time.sleep(0.01)

    def wait_for(self, multiplier: float, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.answers and self.answers[-1][2] == multiplier:
                return
            time.sleep(0.02)
        raise AssertionError(f"not {multiplier} within {seconds} s: {self.answers[-3:]}")


def test_no_request_fails_while_a_harmful_champion_is_taken_back(
    home: Home, service: Service
) -> None:
    publish_champion(home, HASH)
    live_weeks(home, acted_churn=0.15)
    with Client(service.url) as client:
        client.wait_for(0.85, 10)
        found = guard(home, HASH, now_us=LATER)
        assert isinstance(found, Withdrawal)
        client.wait_for(1.0, 10)
    assert {status for _, status, _ in client.answers} == {200}
    assert {said for _, _, said in client.answers} == {0.85, 1.0}
    assert [said for _, _, said in client.answers] == sorted(said for *_, said in client.answers)
