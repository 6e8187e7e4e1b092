"""What tests know of a running service, and how they talk to it."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass

import httpx2
import uvicorn

from flyball.home import Home
from serving.snapshot.entry import Entry
from serving.snapshot.writer import SnapshotWriter
from serving.worker import Worker

PERIOD_US = 7 * 86_400 * 1_000_000


def entry(tenant_id: str, arm: int = 85, *, base: int = 10_000, window_seconds: int = 60) -> Entry:
    now_us = time.time_ns() // 1_000
    return Entry(
        tenant_id=tenant_id,
        decision_id="d_00000000000000ff",
        served_arm=arm,
        base_limit=base,
        window_seconds=window_seconds,
        upgrade_probability=0.92,
        churn_probability=0.03,
        reasons=("upgrade_effect_outweighs_churn",),
        model_version="3",
        policy="value",
        decided_us=now_us,
        period_end_us=now_us + PERIOD_US,
    )


@dataclass
class Service:
    home: Home
    worker: Worker
    writer: SnapshotWriter
    port: int
    server: uvicorn.Server

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, token: str | None = None) -> httpx2.Client:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return httpx2.Client(base_url=self.url, headers=headers, timeout=10)

    def publish(self, *entries: Entry, aliases: dict[str, str] | None = None) -> None:
        now_us = time.time_ns() // 1_000
        self.writer.publish_all(entries, aliases=aliases or {}, created_us=now_us, as_of_us=now_us)
        self.worker.refresh()

    def raw(self, request: bytes, *, timeout: float = 5.0) -> bytes:
        """Send bytes as they are and return what comes back until it pauses or closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout) as sock:
            sock.sendall(request)
            return read_answer(sock)


def read_answer(sock: socket.socket) -> bytes:
    """One HTTP answer with a content length, as bytes."""
    raw = b""
    while b"\r\n\r\n" not in raw:
        part = sock.recv(65536)
        if not part:
            return raw
        raw += part
    head, _, body = raw.partition(b"\r\n\r\n")
    length = next(
        (
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length")
        ),
        0,
    )
    while len(body) < length:
        part = sock.recv(65536)
        if not part:
            break
        body += part
    return head + b"\r\n\r\n" + body
