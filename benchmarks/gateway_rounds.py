"""One gateway under measurement, asked over one connection, one request at a time."""

from __future__ import annotations

import socket
import statistics
import time
from dataclasses import dataclass, field

_WARMING = 20
_REQUEST = (
    b"GET /v1/things HTTP/1.1\r\nHost: 127.0.0.1\r\nX-API-Key: demo-key-1\r\n"
    b"Accept: */*\r\nUser-Agent: rounds\r\n\r\n"
)


class Connection:
    """A client that costs little: bytes out, bytes in, nothing parsed but the body's length."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self) -> bytes:
        """Send the request and return the answer's head, lower case, once its body is there.

        Raises
        ------
        ConnectionError
            The gateway has closed the connection.
        """
        self._socket.sendall(_REQUEST)
        answer = self._socket.recv(65_536)
        while (ends := answer.find(b"\r\n\r\n")) < 0:
            answer += self._more()
        head = answer[:ends].lower()
        missing = ends + 4 + _length(head) - len(answer)
        while missing > 0:
            missing -= len(self._more())
        return head

    def _more(self) -> bytes:
        part = self._socket.recv(65_536)
        if not part:
            raise ConnectionError("the gateway has closed the connection")
        return part

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


def _length(head: bytes) -> int:
    """The body's length; 0 where the head does not say (an answer without a body)."""
    if b"transfer-encoding: chunked" in head:
        raise ValueError("a body in chunks has no length: let the gateway answer without")
    _, found, rest = head.partition(b"content-length:")
    return int(rest.partition(b"\r\n")[0]) if found else 0


@dataclass
class Way:
    """One gateway: where it listens, and each round's percentiles (µs).

    ``enforces``: its answers must say that a decision was enforced; otherwise they must not.
    ``wrong`` counts answers that were not as they should be.
    """

    port: int
    enforces: bool
    p50_us: list[float] = field(default_factory=list)
    p99_us: list[float] = field(default_factory=list)
    wrong: int = 0

    def is_ready(self) -> bool:
        """Whether an answer is as it should be by now."""
        connection = Connection(self.port)
        try:
            return self._is_right(connection.ask())
        finally:
            connection.close()

    def round(self, requests: int) -> None:
        """Ask so many times (the first ones, which warm the connection up, apart)."""
        connection = Connection(self.port)
        taken = []
        for number in range(requests + _WARMING):
            began = time.perf_counter_ns()
            head = connection.ask()
            if number >= _WARMING:
                taken.append((time.perf_counter_ns() - began) / 1_000)
                self.wrong += not self._is_right(head)
        connection.close()
        taken.sort()
        self.p50_us.append(taken[len(taken) // 2])
        self.p99_us.append(taken[int(len(taken) * 0.99)])

    def _is_right(self, head: bytes) -> bool:
        passed = head.startswith(b"http/1.1 200")
        return passed and (b"\r\nflyball-state: fresh" in head) == self.enforces

    @property
    def noise_us(self) -> float:
        """Half of what the rounds' medians lie apart."""
        return (max(self.p50_us) - min(self.p50_us)) / 2


def added_us(ways: tuple[Way, Way], percentile: str) -> float:
    """What the first takes longer than the second: the median of differences within a round."""
    ours: list[float]
    base: list[float]
    ours, base = (getattr(way, percentile) for way in ways)
    return statistics.median(a - b for a, b in zip(ours, base, strict=True))
