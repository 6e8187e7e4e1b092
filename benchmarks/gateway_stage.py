"""What all gateways under measurement share: Flyball, null services, the service behind."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.serving import free_port, make_home, wait_until_up

ROOT = Path(__file__).resolve().parents[1]
TENANTS = 1_000

_NULL_HTTP = """
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})
"""

_NULL_GRPC = """
import asyncio, sys
import grpc

class Null(grpc.GenericRpcHandler):
    def service(self, details):
        async def answer(request, context):
            return b"\\x1a\\x00"  # CheckResponse: an empty ok_response
        return grpc.unary_unary_rpc_method_handler(answer)

async def main():
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Null(),))
    server.add_insecure_port(f"unix:{sys.argv[1]}")
    await server.start()
    await server.wait_for_termination()

asyncio.run(main())
"""

_BEHIND = """
daemon off; worker_processes 1; pid {root}/behind.pid; error_log stderr crit;
events {{ worker_connections 1024; }}
http {{ access_log off; keepalive_requests 1000000000; server {{ listen 127.0.0.1:{port};
location / {{ return 200 'ok'; }} }} }}
"""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Where everything is: ``behind`` and ``flyball`` are ports, sockets lie in ``root``."""

    root: Path
    behind: int
    flyball: int
    key: Path

    @property
    def files(self) -> Path:
        """The sidecar's directory."""
        return self.root / "files"

    @property
    def admin_socket(self) -> Path:
        """Where the sidecar finds HAProxy."""
        return self.root / "admin.sock"

    @property
    def spool(self) -> Path:
        """A directory that gateways may write."""
        return self.root / "spool"


@contextmanager
def stage(root: Path) -> Iterator[Stage]:
    """Run everything for the length of the block."""
    home = make_home(root / "home", TENANTS)
    home.settings.write_text(f'[grpc]\nlisten = "unix:{root}/grpc.sock"\n')
    held = Stage(root=root, behind=free_port(), flyball=free_port(), key=home.verify_key)
    held.spool.mkdir()
    (root / "null_http.py").write_text(_NULL_HTTP)
    (root / "null_grpc.py").write_text(_NULL_GRPC)
    (root / "behind.conf").write_text(_BEHIND.format(root=root, port=held.behind))
    python = [sys.executable, "-m"]
    serve = [*python, "commands", "--home", str(home.root), "serve", "--data-path-only"]
    serve += ["--port", str(held.flyball), "--workers", "1", "--uds", str(root / "http.sock")]
    null = [*python, "uvicorn", "null_http:app", "--app-dir", str(root), "--lifespan", "off"]
    null += ["--uds", f"{root}/null-http.sock", "--no-access-log", "--log-level", "error"]
    with ExitStack() as stack:
        nginx = program("nginx", "nginx-light")
        for command in (
            [nginx, "-c", str(root / "behind.conf"), "-e", "stderr"],
            serve,
            null,
            [sys.executable, str(root / "null_grpc.py"), f"{root}/null-grpc.sock"],
        ):
            stack.enter_context(process(command))
        wait_until_up(held.flyball, 60)
        for name in ("http", "grpc", "null-http", "null-grpc"):
            until((root / f"{name}.sock").exists, f"{name}.sock")
        sidecar = [*python, "commands", "sidecar", "--from", f"http://127.0.0.1:{held.flyball}"]
        sidecar += ["--key", str(held.key), "--into", str(held.files), "--format", "haproxy"]
        stack.enter_context(process([*sidecar, "--socket", str(held.admin_socket)]))
        until((held.files / "state.map").exists, "the sidecar's state.map")
        yield held


class NotInstalled(Exception):
    """A gateway is not here; its figures are left out, and that is said."""


def program(name: str, package: str) -> str:
    """Where a program is.

    Raises
    ------
    NotInstalled
        Naming the package that has it.
    """
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        raise NotInstalled(f"{name} is missing: apt-get install {package}")
    return found


def until(true: Callable[[], object], what: str, seconds: float = 60) -> None:
    """Wait for something; raises RuntimeError where it does not come."""
    ends = time.monotonic() + seconds
    while not true():
        if time.monotonic() > ends:
            raise RuntimeError(f"{what} is not there after {seconds:.0f} s")
        time.sleep(0.05)


@contextmanager
def process(command: Sequence[str], more: Mapping[str, str] | None = None) -> Iterator[None]:
    """Run a command for the length of the block."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1", **(more or {})}
    child = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        child.terminate()
        try:
            child.wait(30)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait(10)


@contextmanager
def listening(
    command: Sequence[str], port: int, more: Mapping[str, str] | None = None
) -> Iterator[int]:
    """Run a gateway until the block ends; gives its port once it accepts connections."""

    def accepts() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    with process(command, more):
        until(accepts, f"{Path(command[0]).name} at port {port}", 30)
        yield port
