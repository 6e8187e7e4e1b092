"""HAProxy's admin socket: one command, one reply, every reply read.

The Runtime API says nothing machine-readable: an empty reply means done, words mean that it was not
(observed on HAProxy 2.6; see its management guide, section 9.3).
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator

from flyball.errors import InvalidInput

TIMEOUT_SECONDS = 5.0

# Well below tune.bufsize (16,384), which a command with its payload must fit into.
_PAYLOAD_BYTES = 8_000
_REPLY_BYTES = 1 << 20


class HaproxySocket:
    """Speaks to one HAProxy.

    Parameters
    ----------
    address:
        Path of a Unix socket, or ``host:port``.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        host, _, port = address.rpartition(":")
        self._tcp: tuple[str, int] | None = None
        if not address.startswith(("/", ".")):
            if not host or not port.isdigit():
                raise InvalidInput(
                    f"{address!r} is no admin socket.",
                    "Give the path of `stats socket`, or host:port.",
                    field="socket",
                )
            self._tcp = (host, int(port))

    def ask(self, command: str) -> str:
        """The reply to one command, without white space around it.

        Raises
        ------
        OSError
            HAProxy is not there, or does not answer.
        """
        with self._connect() as connection:
            connection.sendall(command.encode() + b"\n")
            reply = bytearray()
            while len(reply) < _REPLY_BYTES and (part := connection.recv(65_536)):
                reply += part
        return reply.decode("utf-8", "replace").strip()

    def _connect(self) -> socket.socket:
        if self._tcp is not None:
            return socket.create_connection(self._tcp, timeout=TIMEOUT_SECONDS)
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(TIMEOUT_SECONDS)
        try:
            connection.connect(self._address)
        except OSError:
            connection.close()
            raise
        return connection

    def process(self) -> str:
        """Names the running process; another name means that it was started anew."""
        facts = dict(
            line.partition(": ")[::2] for line in self.ask("show info").splitlines() if ": " in line
        )
        return f"{facts.get('Pid', '')} {facts.get('Start_time_sec', '')}"

    def maps(self) -> list[str]:
        """Files of the maps that HAProxy's configuration uses."""
        found = []
        for line in self.ask("show map").splitlines():
            if not line.startswith("#") and "(" in line:
                found.append(line.partition("(")[2].partition(")")[0])
        return found

    def put(self, file: str, key: str, value: str) -> bool:
        """Set one entry, new or not; whether HAProxy took it."""
        if self.ask(f"set map {file} {key} {value}") == "":
            return True
        return self.ask(f"add map {file} {key} {value}") == ""

    def drop(self, file: str, key: str) -> bool:
        """Take one entry away; one that is not there is gone already."""
        return self.ask(f"del map {file} {key}").lower() in ("", "key not found.")

    def replace(self, file: str, entries: Iterable[tuple[str, str]]) -> bool:
        """Replace a whole map in one transaction; whether HAProxy took all of it."""
        version = self.ask(f"prepare map {file}").rpartition(" ")[2]
        if not version.isdigit():
            return False
        for payload in _payloads(entries):
            if self.ask(f"add map @{version} {file} <<\n{payload}") != "":
                return False
        return self.ask(f"commit map @{version} {file}") == ""


def _payloads(entries: Iterable[tuple[str, str]]) -> Iterator[str]:
    lines: list[str] = []
    size = 0
    for key, value in entries:
        line = f"{key} {value}\n"
        if lines and size + len(line) > _PAYLOAD_BYTES:
            yield "".join(lines)
            lines, size = [], 0
        lines.append(line)
        size += len(line)
    if lines:
        yield "".join(lines)
