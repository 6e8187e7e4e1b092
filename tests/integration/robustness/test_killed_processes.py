"""Any one process may be killed at any moment; gateways do not notice."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from tests.integration.robustness.process import Service, alive, children_of, serving, until


class Asking:
    """A client that asks all the time, on a new connection each time."""

    def __init__(self, service: Service, name: str) -> None:
        self.answers = 0
        self.refused: list[str] = []
        self.cut = 0
        self._url = f"{service.url}/v1/decisions/{name}"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                # Patient: a request may wait in the socket until the worker is back.
                answer = httpx2.get(self._url, timeout=20, headers={"connection": "close"})
                assert answer.status_code == 200
                self.answers += 1
            except httpx2.ConnectError as error:
                self.refused.append(repr(error))
            except httpx2.TransportError:
                self.cut += 1  # in the very process that was killed

    @contextmanager
    def running(self) -> Iterator[Asking]:
        self._thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            self._thread.join(30)


def test_a_killed_worker_is_replaced_and_no_connection_is_refused(
    home: Path, tightened: str
) -> None:
    with serving(home, "--data-path-only", "--workers", "2") as service:
        service.ready()
        workers = until(lambda: len(w := service.children("worker_process")) == 2 and w)
        with Asking(service, tightened).running() as asking:
            until(lambda: asking.answers > 20)
            os.kill(workers[0], signal.SIGKILL)
            until(lambda: len(set(service.children("worker_process")) - {workers[0]}) == 2)
            before = asking.answers
            until(lambda: asking.answers > before + 20)
        assert asking.refused == []
        assert asking.cut <= 1
        assert service.stop() == 0


def test_decisions_are_served_while_the_control_loop_is_down(home: Path, tightened: str) -> None:
    with serving(home) as service:
        service.ready().decided()
        loop = service.children("control_process")
        os.kill(loop[0], signal.SIGKILL)
        assert service.decision(tightened)["source"] == "fresh"
        until(lambda: set(service.children("control_process")) - set(loop))
        until(lambda: service.said.count('"event": "decided"') == 2)
        assert service.decision(tightened)["source"] == "fresh"


@pytest.mark.slow
def test_a_killed_supervisor_takes_its_children_along_and_starts_again_at_once(
    home: Path, tightened: str
) -> None:
    with serving(home) as first:
        first.ready().decided()
        children = children_of(first.process.pid)
        assert len(children) >= 2
        first.process.kill()
        first.process.wait()
        with serving(home, port=first.port) as second:
            second.ready()
            assert second.decision(tightened)["source"] == "fresh"
            until(lambda: not any(map(alive, children)), seconds=10)
            assert second.stop() == 0


def test_requests_under_way_finish_when_asked_to_stop(home: Path) -> None:
    events = "".join(
        f'{",["[index == 0]}{{"specversion":"1.0","id":"s{index}","source":"gw",'
        f'"type":"api.requests","subject":"ent_new","data":{{"quantity":1}}}}'
        for index in range(2_000)
    )
    with serving(home, "--data-path-only") as service:
        service.ready()
        with httpx2.Client(base_url=service.url, timeout=20) as client:

            def slowly() -> Iterator[bytes]:
                body = (events + "]").encode()
                yield body[:1_000]
                service.process.terminate()
                time.sleep(0.5)
                yield body[1_000:]

            answer = client.post(
                "/v1/events",
                content=slowly(),
                headers={"content-type": "application/cloudevents-batch+json"},
            )
        assert answer.status_code == 202
        assert answer.json()["pending"] == 2_000
        assert service.process.wait(20) == 0
    assert "Traceback" not in service.said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_every_way_of_stopping_is_quiet_and_leaves_nobody_behind(home: Path, number: int) -> None:
    with serving(home) as service:
        service.ready()
        children = children_of(service.process.pid)
        # As a terminal does: to the whole group.
        os.killpg(service.process.pid, number)
        assert service.process.wait(20) == 0
        until(lambda: not any(map(alive, children)), seconds=10)
    assert "Traceback" not in service.said
