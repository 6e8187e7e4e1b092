"""A real HAProxy on the shipped configuration, its example addresses and paths replaced."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from tests.integration.node.server import free_port

SHIPPED = Path(__file__).resolve().parents[4] / "gateways" / "haproxy"
KEYS = {"key-1": "ent_1", "key-2": "ent_2", "key-3": "ent_3", "key-none": "ent_nobody"}


def need_haproxy() -> str:
    binary = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin")
    if binary is None:
        pytest.skip("haproxy is missing (Debian: haproxy)")
    return binary


@dataclass
class Haproxy:
    """A running HAProxy."""

    port: int
    client: httpx2.Client

    def get(
        self, path: str = "/", key: str | None = "key-1", headers: Mapping[str, str] | None = None
    ) -> httpx2.Response:
        named = {} if key is None else {"X-API-Key": key}
        url = f"http://127.0.0.1:{self.port}{path}"
        return self.client.get(url, headers={**named, **(headers or {})})

    def passed(self, number: int, key: str = "key-1", path: str = "/") -> int:
        """How many of so many requests, sent at once after each other, pass."""
        return sum(self.get(path, key).status_code == 200 for _ in range(number))


@contextmanager
def haproxy(folder: Path, files: Path, behind: int) -> Iterator[Haproxy]:
    binary = need_haproxy()
    port = free_port()
    keys = folder / "api_keys.map"
    keys.write_text("".join(f"{key} {tenant}\n" for key, tenant in KEYS.items()))
    text = (SHIPPED / "haproxy.cfg").read_text()
    for old, new in {
        "/run/haproxy/admin.sock": f"{folder}/admin.sock",
        "/etc/haproxy/flyball.lua": f"{SHIPPED}/flyball.lua",
        "/etc/haproxy/api_keys.map": str(keys),
        "/run/flyball": str(files),
        "127.0.0.1:8000": f"127.0.0.1:{behind}",
        "127.0.0.1:8081": f"127.0.0.1:{port}",
    }.items():
        assert old in text, f"{old} is not in haproxy.cfg"
        text = text.replace(old, new)
    path = folder / "haproxy.cfg"
    path.write_text(text)
    with (folder / "haproxy.log").open("wb") as log:
        process = subprocess.Popen([binary, "-db", "-f", str(path)], stderr=log, stdout=log)
    client = httpx2.Client(timeout=10, verify=False, trust_env=False)
    running = Haproxy(port=port, client=client)
    try:
        ends = time.monotonic() + 10
        while True:
            try:
                running.get(key=None)
                break
            except httpx2.HTTPError:
                said = (folder / "haproxy.log").read_text()
                assert process.poll() is None, said
                assert time.monotonic() < ends, said
                time.sleep(0.02)
        yield running
    finally:
        client.close()
        process.kill()
        process.wait(10)
