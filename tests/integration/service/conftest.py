"""A real worker on a real socket, over a small signed snapshot."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from flyball.home import Home
from models.signature import create_keypair, load_private_key, load_public_key
from serving.listening import listen_tcp
from serving.snapshot.writer import SnapshotWriter
from serving.worker import Worker
from serving.worker_process import server_of
from tests.integration.service.running import Service, entry


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    home = Home(tmp_path / "home")
    create_keypair(home.signing_key, home.verify_key)
    writer = SnapshotWriter(home.snapshot, load_private_key(home.signing_key))
    worker = Worker(home, load_public_key(home.verify_key))
    sock = listen_tcp("127.0.0.1", 0)
    server = server_of(worker)
    # Signals belong to pytest's main thread.
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    running = Service(home, worker, writer, sock.getsockname()[1], server)
    running.publish(entry("ent_1"), entry("ent_2", 100), aliases={"key_1": "ent_1"})
    worker.keep_fresh()
    yield running
    server.should_exit = True
    thread.join(10)
    worker.close()
    sock.close()
