"""The same service over a Unix socket: the same answers, the same tokens."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from ledger.people import Role
from ledger.sqlite_ledger import SqliteLedger
from serving.listening import listen_unix
from serving.worker_process import server_of
from tests.integration.service.running import Service, read_answer


@pytest.fixture
def path(service: Service) -> Iterator[Path]:
    """A second server of the same worker."""
    with TemporaryDirectory(prefix="fb-") as folder:
        where = Path(folder) / "http.sock"
        sock = listen_unix(where)
        server = server_of(service.worker)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield where
        server.should_exit = True
        thread.join(10)
        sock.close()


def ask(path: Path, headers: bytes = b"Host: localhost\r\n") -> tuple[int, bytes]:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(str(path))
        answers = []
        for _ in range(2):  # the second the short way
            client.sendall(b"GET /v1/decisions/ent_1 HTTP/1.1\r\n" + headers + b"\r\n")
            answers.append(read_answer(client))
    found = {(int(raw.split()[1]), raw.partition(b"\r\n\r\n")[2]) for raw in answers}
    assert len(found) == 1
    return found.pop()


def test_a_decision_is_the_same_over_either(service: Service, path: Path) -> None:
    status, body = ask(path)
    assert status == 200
    with service.client() as client:
        over_tcp = client.get("/v1/decisions/ent_1").json()
    assert json.loads(body) == over_tcp


def test_a_local_socket_needs_a_token_as_soon_as_there_is_one(service: Service, path: Path) -> None:
    with SqliteLedger(service.home.ledger) as ledger:
        token, _ = ledger.create_token("edge", Role.GATEWAY, author="test", now_us=1)
    service.worker.refresh()
    assert ask(path)[0] == 401
    given = b"Host: localhost\r\nAuthorization: Bearer " + token.encode() + b"\r\n"
    assert ask(path, given)[0] == 200


def test_without_tokens_a_page_elsewhere_reaches_it_as_little_as_a_port(
    service: Service, path: Path
) -> None:
    assert ask(path, b"Host: elsewhere.example\r\n")[0] == 401
