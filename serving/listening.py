"""Sockets that the supervisor opens and workers share."""

from __future__ import annotations

import errno
import ipaddress
import os
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
    """A listening Unix socket at ``path``; one that a killed server left there is replaced.

    Its mode is 0660 from the first moment on: whoever may not write to it cannot connect. The
    directory's owner and mode say who else can replace it.

    Raises
    ------
    StorageError
        A server listens there, something that is no socket lies there, or it cannot be created.
    """
    try:
        if path.exists():
            if not stat.S_ISSOCK(path.stat().st_mode):
                raise StorageError(f"{path} exists and is not a socket.", "Choose another path.")
            if _answers(path):
                raise StorageError(
                    f"Another process listens on {path}.", "Stop it, or choose another path."
                )
            path.unlink()
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # Not chmod alone: between the two anybody could connect under a generous umask.
        umask = os.umask(0o117)
        try:
            sock.bind(str(path))
        except OSError:
            sock.close()
            raise
        finally:
            os.umask(umask)
        path.chmod(0o660)
        sock.listen(BACKLOG)
        sock.setblocking(False)
        return sock
    except OSError as error:
        raise StorageError(
            f"Cannot listen on {path}: {error.strerror or error}.", "Choose another path."
        ) from error


def _answers(path: Path) -> bool:
    """Whether a process holds the socket at ``path``; a full queue or no right is a yes too."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.setblocking(False)
        return client.connect_ex(str(path)) != errno.ECONNREFUSED
