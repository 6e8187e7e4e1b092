"""Sockets that the service listens on: who can reach them, and what they never replace."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from flyball.errors import StorageError
from serving.listening import is_loopback, listen_tcp, listen_unix


@pytest.fixture
def path() -> Iterator[Path]:
    # Short: a socket's path has 107 bytes at most.
    with TemporaryDirectory(prefix="fb-") as folder:
        yield Path(folder) / "http.sock"


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_a_unix_socket_is_open_to_its_owner_and_group_only(path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        with listen_unix(path):
            assert stat.S_IMODE(path.stat().st_mode) == 0o660
        assert os.umask(umask) == umask
    finally:
        os.umask(before)


def test_it_takes_connections(path: Path) -> None:
    with listen_unix(path) as listening, socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall(b"x")
        with listening.accept()[0] as accepted:
            assert accepted.recv(1) == b"x"


def test_what_a_killed_server_left_is_replaced(path: Path) -> None:
    listen_unix(path).close()
    assert path.exists()
    with listen_unix(path), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_a_socket_that_a_server_listens_on_is_not_taken_from_it(path: Path) -> None:
    with listen_unix(path), socket.socket(socket.AF_UNIX) as client:
        with pytest.raises(StorageError, match="Another process listens"):
            listen_unix(path)
        client.connect(str(path))


def test_nothing_but_a_socket_is_replaced(path: Path) -> None:
    path.write_text("mine")
    with pytest.raises(StorageError, match="not a socket"):
        listen_unix(path)
    assert path.read_text() == "mine"


@pytest.mark.parametrize("name", ["missing/http.sock", "x" * 120])
def test_a_path_where_none_can_be_is_named(path: Path, name: str) -> None:
    with pytest.raises(StorageError, match=name[:20]):
        listen_unix(path.parent / name)


def test_a_free_port_is_found_and_a_taken_one_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.listening.RETRY_SECONDS", 0.0)
    with listen_tcp("127.0.0.1", 0) as sock:
        port = sock.getsockname()[1]
        with pytest.raises(StorageError, match=str(port)):
            listen_tcp("127.0.0.1", port)


def test_only_this_machine_is_loopback() -> None:
    assert all(map(is_loopback, ("localhost", "127.0.0.1", "127.9.9.9", "::1", "[::1]")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "10.0.0.1", "flyball.example")))
