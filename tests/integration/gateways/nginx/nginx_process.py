"""A real nginx on one of the shipped configurations, its example addresses and paths replaced."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from tests.integration.node.server import free_port

GATEWAYS = Path(__file__).resolve().parents[4] / "gateways"
LUA_MODULE = Path("/usr/lib/nginx/modules/ngx_http_lua_module.so")
KEYS = {"key-1": "ent_1", "key-2": "ent_2", "key-3": "ent_3", "key-none": "ent_nobody"}


def need_nginx(*, lua: bool = True) -> str:
    binary = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if binary is None or (lua and not LUA_MODULE.exists()):
        pytest.skip("nginx with Lua is missing (Debian: nginx-light libnginx-mod-http-lua)")
    return binary


@dataclass
class Nginx:
    """A running nginx."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes]
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

    def reload(self) -> None:
        self.process.send_signal(signal.SIGHUP)

    def workers(self) -> set[int]:
        """Process ids of the workers."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return {int(pid) for pid in path.read_text().split()}

    @property
    def log(self) -> str:
        return (self.folder / "error.log").read_text()


def replaced(text: str, changes: Mapping[str, str]) -> str:
    """The configuration with its example values replaced; each must be there."""
    for old, new in changes.items():
        assert old in text, f"{old} is not in the configuration"
        text = text.replace(old, new)
    return text


@contextmanager
def nginx(text: str, port: int, folder: Path) -> Iterator[Nginx]:
    """Run a configuration that listens on ``port``."""
    path = folder / "nginx.conf"
    path.write_text(text)
    user = "user root;" if os.geteuid() == 0 else ""
    process = subprocess.Popen(
        [
            *(need_nginx(lua=False), "-p", str(folder), "-c", str(path)),
            *("-e", str(folder / "error.log"), "-g", f"daemon off; {user}"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    client = httpx2.Client(timeout=10, verify=False, trust_env=False)
    running = Nginx(port=port, folder=folder, process=process, client=client)
    try:
        ends = time.monotonic() + 10
        while True:
            try:
                running.get("/__probe", key=None)
                break
            except httpx2.HTTPError:
                assert process.poll() is None, running.log
                assert time.monotonic() < ends, running.log
                time.sleep(0.02)
        yield running
    finally:
        client.close()
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def keys_file(folder: Path, keys: Mapping[str, str] = KEYS) -> Path:
    path = folder / "api_keys.map"
    path.write_text("".join(f'"{key}" {tenant};\n' for key, tenant in keys.items()))
    return path


def local_copy(
    folder: Path, files: Path, behind: int, *, workers: int = 2, more: str = "", usage: str = ""
) -> tuple[str, int]:
    """The shipped nginx.conf, and where it listens. ``more`` are settings for ``start``."""
    need_nginx()
    port = free_port()
    spool = folder / "spool"
    spool.mkdir(exist_ok=True)
    text = (GATEWAYS / "nginx" / "nginx.conf").read_text()
    text = replaced(
        text,
        {
            # Temporary directories are ours alone; `nginx` below says who runs the workers.
            "user www-data;": "",
            "worker_processes auto": f"worker_processes {workers}",
            "error_log stderr": f"error_log {folder}/error.log",
            "/run/flyball-nginx.pid": f"{folder}/nginx.pid",
            "/etc/nginx/lua/": f"{GATEWAYS}/nginx/",
            "/etc/nginx/api_keys.map": str(keys_file(folder)),
            '"/run/flyball"': f'"{files}"',
            "/var/lib/flyball-nginx": str(spool),
            "127.0.0.1:8000": f"127.0.0.1:{behind}",
            "127.0.0.1:8081": f"127.0.0.1:{port}",
            'source = "gateway/edge-1",': f'source = "gateway/edge-1", {more}',
        },
    )
    url = f'usage_url = "{usage}",' if usage else ""
    return re.sub(r'usage_url = "[^"]*",', url, text), port
