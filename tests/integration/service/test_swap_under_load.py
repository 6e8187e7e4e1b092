"""Versions swapped under load: no request is dropped, none sees a torn or an older one."""

from __future__ import annotations

import json
import socket
import threading
import time

import pytest

from tests.integration.service.running import Service, entry, read_answer

_NAMES = [f"ent_{number}" for number in range(200)]


def _arm(number: int) -> int:
    """Each version has an arm of its own, so that an answer tells its version."""
    return 1 + number % 900


class Asking:
    """A gateway on one connection: each answer whole, of one version, never older than before."""

    def __init__(self, port: int) -> None:
        self.answers = 0
        self.versions = 0
        self.wrong: list[str] = []
        self._port = port

    def run(self, stop: threading.Event) -> None:
        newest = dict.fromkeys(_NAMES, 0)
        with socket.create_connection(("127.0.0.1", self._port), timeout=20) as sock:
            while not stop.is_set():
                for name in _NAMES:
                    request = f"GET /v1/decisions/{name} HTTP/1.1\r\nHost: localhost\r\n\r\n"
                    sock.sendall(request.encode())
                    raw = read_answer(sock)
                    self._check(name, raw, newest)

    def _check(self, name: str, raw: bytes, newest: dict[str, int]) -> None:
        head, _, body = raw.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            self.wrong.append(repr(raw[:200]))
            return
        answer = json.loads(body)
        arm = round(answer["dynamicMultiplier"] * 100)
        # Base limit and limits were published together with the arm.
        whole = (
            answer["tenantId"] == name
            and answer["baseLimit"] == arm * 1_000
            and answer["effectiveLimit"] == arm * arm * 10
            and answer["limits"][0]["effectiveLimit"] == arm * arm * 10
        )
        if not whole or arm < newest[name]:
            self.wrong.append(f"{newest[name]} then {answer}")
        self.answers += 1
        self.versions += arm > newest[name]
        newest[name] = arm


@pytest.mark.parametrize("base_every", [1, 7])
def test_a_swap_under_load_drops_nothing_and_shows_nothing_torn(
    base_every: int, service: Service
) -> None:
    def publish(number: int) -> None:
        now_us = time.time_ns() // 1_000
        arm = _arm(number)
        entries = [entry(name, arm, base=arm * 1_000) for name in _NAMES]
        if number % base_every == 0:
            service.publish(*entries)
        else:
            service.writer.publish_changes(entries, created_us=now_us, as_of_us=now_us)
            service.worker.refresh()

    publish(0)
    stop = threading.Event()
    askers = [Asking(service.port) for _ in range(2)]
    threads = [threading.Thread(target=asker.run, args=(stop,)) for asker in askers]
    for thread in threads:
        thread.start()
    try:
        for number in range(1, 60):
            publish(number)
            time.sleep(0.01)
        deadline = time.monotonic() + 20
        while min(asker.answers for asker in askers) < 400 and time.monotonic() < deadline:
            time.sleep(0.02)
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
    for asker in askers:
        assert asker.wrong == []
        assert asker.answers >= 400
        assert asker.versions > len(_NAMES)
    assert service.worker.reader.error is None
