"""Sockets that the supervisor opens and workers share."""

from __future__ import annotations

import errno
import ipaddress
import socket
import stat
import time
from pathlib import Path

from flyball.errors import InvalidInput, StorageError

BACKLOG = 2048
#: A server that was just killed may hold its port for a moment.
RETRY_SECONDS = 3.0


def is_loopback(host: str) -> bool:
    """Whether listening on ``host`` can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def listen_tcp(host: str, port: int) -> socket.socket:
    """A listening TCP socket; port 0 picks a free one.

    Raises
    ------
    StorageError
        The port is taken, or the address is not ours.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    except socket.gaierror as error:
        raise InvalidInput(
            f"Host {host!r} cannot be resolved.", "Use 127.0.0.1 or 0.0.0.0.", field="host"
        ) from error
    deadline = time.monotonic() + RETRY_SECONDS
    while True:
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, port))
            sock.listen(BACKLOG)
            sock.setblocking(False)
            return sock
        except OSError as error:
            sock.close()
            if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                raise StorageError(
                    f"Cannot listen on {host}:{port}: {error.strerror}.",
                    "Stop what uses the port, or give another with --port.",
                ) from error
            time.sleep(0.1)


def listen_unix(path: Path) -> socket.socket:
    """A listening Unix socket at ``path`` (mode 0660); a stale one is replaced.

    Raises
    ------
    StorageError
        Something that is no socket lies there, or it cannot be created.
    """
    try:
        if path.exists():
            if not stat.S_ISSOCK(path.stat().st_mode):
                raise StorageError(f"{path} exists and is not a socket.", "Choose another path.")
            path.unlink()
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.bind(str(path))
        path.chmod(0o660)
        sock.listen(BACKLOG)
        sock.setblocking(False)
        return sock
    except OSError as error:
        raise StorageError(
            f"Cannot listen on {path}: {error.strerror or error}.", "Choose another path."
        ) from error
