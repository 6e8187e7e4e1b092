"""P1: a decision lookup over HTTP against a null ASGI app, plain FastAPI and nginx.

All answer about the same number of bytes over keep-alive connections from one loader process (wrk,
32 connections, random tenants out of all). Servers run one worker each and take turns, several
rounds; figures are medians over rounds. CPU is the operating system's accounting of the server's
own processes, divided by answers.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.promise import at_least, at_most
from flyball.home import Home
from models.signature import create_keypair, load_private_key
from serving.snapshot.entry import Entry
from serving.snapshot.writer import SnapshotWriter

_TICKS = os.sysconf("SC_CLK_TCK")
_CONNECTIONS = 32

#: As long as a decision.
BODY = "x" * 502
NULL = """
BODY = b"x" * 502
HEAD = [(b"content-type", b"application/json"), (b"content-length", b"502")]
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": HEAD})
    await send({"type": "http.response.body", "body": BODY})
"""

PLAIN = """
from fastapi import FastAPI
from pydantic import BaseModel
class Limit(BaseModel):
    meter: str
    kind: str
    baseLimit: int
    effectiveLimit: int
    windowSeconds: int
class Decision(BaseModel):
    tenantId: str
    baseLimit: int
    dynamicMultiplier: float
    enforceFriction: bool
    upsellProbability: float
    churnProbability: float
    effectiveLimit: int
    windowSeconds: int
    limits: list[Limit]
    reasons: list[str]
    decisionId: str
    modelVersion: str
    policy: str
    source: str
    decidedAt: str
    expiresAt: str
ROW = dict(baseLimit=10000, dynamicMultiplier=0.85, enforceFriction=True, upsellProbability=0.1,
    churnProbability=0.02, effectiveLimit=8500, windowSeconds=60,
    limits=[dict(meter="api.requests", kind="rate", baseLimit=10000, effectiveLimit=8500,
        windowSeconds=60)],
    reasons=["upgrade_effect_outweighs_churn"], decisionId="d_0000000000000005", modelVersion="1",
    policy="value", source="fresh", decidedAt="2026-01-05T00:00:00Z",
    expiresAt="2026-01-05T00:15:00Z")
app = FastAPI()
@app.get("/v1/decisions/{tenant}")
async def decision(tenant: str) -> Decision:
    return Decision(tenantId=tenant, **ROW)
"""

_NGINX = """
daemon off; worker_processes 1; pid {root}/nginx.pid; error_log stderr crit;
events {{ worker_connections 1024; }}
http {{ access_log off; keepalive_requests 1000000000; server {{ listen 127.0.0.1:{port};
location / {{ default_type application/json; return 200 '{body}'; }} }} }}
"""


@dataclass
class Server:
    """A running baseline or ours: where it listens, its processes, and what was measured."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    pattern: str | None = None
    rates: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    p50_us: list[float] = field(default_factory=list)
    p99_us: list[float] = field(default_factory=list)

    def pids(self) -> list[int]:
        """This process and its descendants, restricted to ``pattern`` in the command line."""
        tree = [self.process.pid]
        for pid in tree:
            with suppress(OSError):
                kids = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
                tree += [int(kid) for kid in kids]
        if self.pattern is None:
            return tree
        return [p for p in tree if self.pattern in Path(f"/proc/{p}/cmdline").read_text()]

    def cpu_seconds(self) -> float:
        """User and system time of those processes so far."""
        total = 0
        for pid in self.pids():
            with suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                total += int(fields[11]) + int(fields[12])
        return total / _TICKS


def make_home(root: Path, tenants: int) -> Home:
    """A home with a signed snapshot of ``tenants`` decisions."""
    home = Home(root)
    create_keypair(home.signing_key, home.verify_key)
    now_us = time.time_ns() // 1_000
    entries = (
        Entry(
            tenant_id=f"ent_{number}",
            decision_id=f"d_{number:016x}",
            served_arm=(70, 85, 100, 115, 130)[number % 5],
            base_limit=10_000,
            window_seconds=60,
            upgrade_probability=(number % 1000) / 1000,
            churn_probability=(number % 97) / 1000,
            reasons=("upgrade_effect_outweighs_churn",),
            model_version="1",
            policy="value",
            decided_us=now_us,
            period_end_us=now_us + 604_800_000_000,
        )
        for number in range(tenants)
    )
    writer = SnapshotWriter(home.snapshot, load_private_key(home.signing_key))
    writer.publish_all(entries, aliases={}, created_us=now_us, as_of_us=now_us)
    return home


def free_port() -> int:
    """A TCP port that nobody listens on just now."""
    import socket

    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def wait_until_up(port: int, seconds: float = 30) -> None:
    """Return once something answers HTTP on ``port``."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/decisions/ent_1", timeout=1)
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


@contextmanager
def running(
    name: str, argv: Sequence[str], port: int, pattern: str | None, *, patience_s: float = 30
) -> Iterator[Server]:
    """Start a server, wait ``patience_s`` at most for its first answer, and stop it at the end."""
    process = subprocess.Popen(
        argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        wait_until_up(port, patience_s)
        yield Server(name, port, process, pattern)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(15)


def _uvicorn(root: Path, name: str, source: str) -> tuple[list[str], int]:
    (root / f"{name}.py").write_text(source)
    port = free_port()
    flags = ["--port", str(port), "--loop", "uvloop", "--http", "httptools", "--no-access-log"]
    flags += ["--app-dir", str(root), "--log-level", "error", "--lifespan", "off"]
    return [sys.executable, "-m", "uvicorn", f"{name}:app", *flags], port


def load_with_wrk(server: Server, script: Path, seconds: float) -> None:
    """Ask ``server`` as ``script`` says for ``seconds``, and note what that took."""
    before, began = server.cpu_seconds(), time.perf_counter()
    command = ["wrk", "-t1", f"-c{_CONNECTIONS}", f"-d{seconds:.0f}s", "--latency"]
    command += ["-s", str(script), f"http://127.0.0.1:{server.port}"]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=True,
    )
    spent = server.cpu_seconds() - before
    elapsed = time.perf_counter() - began
    found = re.search(r"(\d+) requests in", done.stdout)
    assert found, done.stdout
    assert "Non-2xx" not in done.stdout, done.stdout
    count = int(found[1])
    server.rates.append(count / elapsed)
    server.cpu_us.append(spent / count * 1e6)
    server.p50_us.append(_latency_us(done.stdout, "50%"))
    server.p99_us.append(_latency_us(done.stdout, "99%"))


def _latency_us(text: str, percentile: str) -> float:
    found = re.search(rf"{percentile}\s+([\d.]+)(us|ms|s)", text)
    assert found, text
    return float(found[1]) * {"us": 1, "ms": 1e3, "s": 1e6}[found[2]]


def _turns(servers: Sequence[Server], script: Path, rounds: int, seconds: float) -> None:
    for server in servers:
        load_with_wrk(server, script, 1)
        for values in (server.rates, server.cpu_us, server.p50_us, server.p99_us):
            values.clear()
    for _ in range(rounds):
        for server in servers:
            load_with_wrk(server, script, seconds)


def measure(quick: bool) -> list[dict[str, Any]]:
    """P1's figures; ``quick`` takes 100,000 tenants and shorter rounds."""
    if shutil.which("wrk") is None:
        raise RuntimeError("P1 needs the load generator wrk: apt-get install wrk")
    tenants = 100_000 if quick else 1_000_000
    with tempfile.TemporaryDirectory(prefix="flyball-bench-") as folder:
        root = Path(folder)
        home = make_home(root / "home", tenants)
        script = root / "random.lua"
        script.write_text(
            f"request = function() return wrk.format('GET', '/v1/decisions/ent_' .. "
            f"math.random(0, {tenants - 1})) end\n"
        )
        port = free_port()
        ours_argv = [sys.executable, "-m", "commands", "--home", str(home.root), "serve"]
        ours_argv += ["--port", str(port), "--workers", "1", "--data-path-only"]
        null_argv, null_port = _uvicorn(root, "null_app", NULL)
        plain_argv, plain_port = _uvicorn(root, "plain_app", PLAIN)
        with (
            running("ours", ours_argv, port, "worker_process") as ours,
            running("null", null_argv, null_port, None) as null,
            running("fastapi", plain_argv, plain_port, None) as plain,
            _nginx(root) as nginx,
        ):
            servers = [ours, null, plain, *([nginx] if nginx else [])]
            _turns(servers, script, 3 if quick else 7, 2 if quick else 5)
    figures = _figures(ours, null, plain, nginx)
    return figures if quick else [*figures, *_matrix(tenants)]


def _matrix(tenants: int) -> list[dict[str, Any]]:
    """The same with one worker and two, one connection and 32, over TCP and a Unix socket."""
    from benchmarks.gateway_stage import NotInstalled
    from benchmarks.serving_matrix import all_cells, measure_cells, rows

    cells = measure_cells(all_cells(), tenants, rounds=3, seconds=2.0)
    try:
        return [row for cell, found in cells for row in rows(cell, found)]
    except NotInstalled as missing:
        print(f"left out: {missing}")
        return []


@contextmanager
def _nginx(root: Path) -> Iterator[Server | None]:
    if shutil.which("nginx") is None:
        print("nginx is not installed: its floor is left out (apt-get install nginx-light)")
        yield None
        return
    port = free_port()
    config = root / "nginx.conf"
    config.write_text(_NGINX.format(root=root, port=port, body=BODY))
    with running("nginx", ["nginx", "-c", str(config)], port, None) as server:
        yield server


def _figures(
    ours: Server, null: Server, plain: Server, nginx: Server | None
) -> list[dict[str, Any]]:
    def of(server: Server, pick: Callable[[Server], list[float]]) -> float:
        return statistics.median(pick(server))

    rate, cpu, p50 = of(ours, lambda s: s.rates), of(ours, lambda s: s.cpu_us), ours.p50_us
    rows = [
        at_least("P1", "lookups/s against a null ASGI app", rate, of(null, lambda s: s.rates),
                 "1/s", 0.9),
        at_least("P1", "lookups/s against FastAPI + pydantic", rate, of(plain, lambda s: s.rates),
                 "1/s", 2.5),
        at_most("P1", "server CPU an answer against a null ASGI app", cpu,
                of(null, lambda s: s.cpu_us), "us", 1.2),
        at_most("P1", "p50 against a null ASGI app", statistics.median(p50),
                of(null, lambda s: s.p50_us), "us", 1.2),
    ]  # fmt: skip
    if nginx is not None:
        rows.insert(
            3,
            at_most("P1", "server CPU an answer against nginx return 200", cpu,
                    of(nginx, lambda s: s.cpu_us), "us", 3.0),
        )  # fmt: skip
    p99 = at_most("P1", "p99 against a null ASGI app (reported)", of(ours, lambda s: s.p99_us),
                  of(null, lambda s: s.p99_us), "us", 1.2)  # fmt: skip
    return [*rows, p99 | {"met": None, "goal": "-"}]


if __name__ == "__main__":
    from benchmarks.promise import line

    for figure in measure("--full" not in sys.argv):
        print(line(figure))
