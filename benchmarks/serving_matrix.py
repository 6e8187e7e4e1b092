"""P1 over everything that changes it: workers, connections, TCP and a Unix socket.

Asked are, in turns and by one program (``lookups.c``): this service, a null ASGI app and plain
FastAPI + pydantic on the same server, nginx's ``return 200``, and nginx whose Lua finds the tenant
in its own memory (what a gateway with a local copy does instead of asking). Figures are medians
over rounds; CPU is the operating system's accounting of a server's own processes.

``python -m benchmarks.serving_matrix --workers 1 --connections 32`` measures a part of it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.gateway_stage import NotInstalled
from benchmarks.local_lookup import nginx_lua
from benchmarks.promise import at_least, at_most, line
from benchmarks.serving import BODY, NULL, PLAIN, Server, free_port, make_home

LOADER = Path(__file__).with_name("lookups.c")
TRANSPORTS = ("tcp", "unix")
_NGINX = """
daemon off; worker_processes {workers}; pid {root}/nginx.pid; error_log stderr crit;
events {{ worker_connections 1024; }}
http {{ access_log off; keepalive_requests 1000000000; server {{
listen 127.0.0.1:{port}; listen unix:{root}/nginx.sock;
location / {{ default_type application/json; return 200 '{body}'; }} }} }}
"""


@dataclass(frozen=True)
class Cell:
    """One way of asking: how many workers, over what, on how many connections."""

    workers: int
    over: str
    connections: int

    def __str__(self) -> str:
        return f"{self.workers}w {self.over} c{self.connections}"


@dataclass(frozen=True)
class Contestant:
    """A running server and where it is asked: a port or a socket's path by transport."""

    name: str
    server: Server
    addresses: dict[str, str]


@dataclass
class Samples:
    """What one contestant did in one cell, a value a round."""

    rate: list[float] = field(default_factory=list)
    p50_us: list[float] = field(default_factory=list)
    p99_us: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)

    def median(self, figure: str) -> float:
        """The median over rounds of one of the fields."""
        values: list[float] = getattr(self, figure)
        return statistics.median(values)


Table = dict[Cell, dict[str, Samples]]


def build_loader(folder: Path) -> Path:
    """Compile the program that asks; raises NotInstalled where there is no C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise NotInstalled("the matrix needs a C compiler for its loader: apt-get install gcc")
    built = folder / "lookups"
    subprocess.run(
        [compiler, "-O2", "-D_GNU_SOURCE", "-o", str(built), str(LOADER)],
        check=True,
        capture_output=True,
    )
    return built


@contextmanager
def _started(
    name: str, argv: Sequence[str], addresses: dict[str, str], pattern: str | None = None
) -> Iterator[Contestant]:
    process = subprocess.Popen(
        argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        for address in addresses.values():
            _wait_until_up(name, address, process)
        yield Contestant(name, Server(name, 0, process, pattern), addresses)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)


def _wait_until_up(name: str, address: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while True:
        family = socket.AF_UNIX if "/" in address else socket.AF_INET
        with socket.socket(family) as sock:
            sock.settimeout(1)
            with suppress(OSError):
                sock.connect(address if "/" in address else ("127.0.0.1", int(address)))
                sock.sendall(b"GET /v1/decisions/ent_1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
                if sock.recv(65_536).startswith(b"HTTP/1.1 200"):
                    return
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{name} does not answer at {address}")
        time.sleep(0.05)


def _uvicorn(root: Path, name: str, workers: int, address: str) -> list[str]:
    where = ["--uds", address] if "/" in address else ["--port", address]
    return [
        *(sys.executable, "-m", "uvicorn", f"{name}:app", *where, "--workers", str(workers)),
        *("--loop", "uvloop", "--http", "httptools", "--no-access-log", "--app-dir", str(root)),
        *("--log-level", "error", "--lifespan", "off"),
    ]


@contextmanager
def contestants(root: Path, home: Path, tenants: int, workers: int) -> Iterator[list[Contestant]]:
    """Everything that is compared, running with so many workers; what is missing is said."""
    places = {"tcp": str(free_port()), "unix": f"{root}/ours.sock"}
    serve = [sys.executable, "-m", "commands", "--home", str(home), "serve", "--data-path-only"]
    serve += ["--workers", str(workers), "--port", places["tcp"], "--uds", places["unix"]]
    with ExitStack() as stack:
        found = [stack.enter_context(_started("ours", serve, places, "worker_process"))]
        for name, source in (("null", NULL), ("fastapi", PLAIN)):
            (root / f"{name}_app.py").write_text(source)
            for over, address in (("tcp", str(free_port())), ("unix", f"{root}/{name}.sock")):
                argv = _uvicorn(root, f"{name}_app", workers, address)
                found.append(stack.enter_context(_started(name, argv, {over: address})))
        nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
        if nginx is None:
            print("nginx is not installed: left out (apt-get install nginx-light)")
        else:
            config, port = root / "nginx.conf", free_port()
            config.write_text(_NGINX.format(root=root, port=port, body=BODY, workers=workers))
            places = {"tcp": str(port), "unix": f"{root}/nginx.sock"}
            argv = [nginx, "-e", "stderr", "-c", str(config)]
            found.append(stack.enter_context(_started("nginx", argv, places)))
            try:
                argv, places = nginx_lua(root, nginx, tenants, workers)
            except NotInstalled as missing:
                print(f"left out: {missing}")
            else:
                found.append(stack.enter_context(_started("lua", argv, places)))
        yield found


def _ask(loader: Path, one: Contestant, cell: Cell, seconds: float, tenants: int) -> list[float]:
    before = one.server.cpu_seconds()
    argv = [str(loader), one.addresses[cell.over], str(cell.connections), str(seconds)]
    done = subprocess.run([*argv, str(tenants)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{one.name}, {cell}: {done.stderr.strip()}")
    spent = one.server.cpu_seconds() - before
    answers, elapsed, p50_us, p99_us = (float(word) for word in done.stdout.split())
    return [answers / elapsed, p50_us, p99_us, spent / answers * 1e6]


def measure_cells(
    cells: Sequence[Cell], tenants: int, *, rounds: int, seconds: float
) -> Iterator[tuple[Cell, dict[str, Samples]]]:
    """What everybody did in each cell, one cell after the other."""
    with tempfile.TemporaryDirectory(prefix="flyball-bench-") as folder:
        root = Path(folder)
        loader = build_loader(root)
        home = make_home(root / "home", tenants)
        for workers in dict.fromkeys(cell.workers for cell in cells):
            place = root / str(workers)
            place.mkdir()
            with contestants(place, home.root, tenants, workers) as everybody:
                for cell in cells:
                    if cell.workers == workers:
                        yield cell, _turns(loader, everybody, cell, tenants, rounds, seconds)


def _turns(
    loader: Path,
    everybody: Sequence[Contestant],
    cell: Cell,
    tenants: int,
    rounds: int,
    seconds: float,
) -> dict[str, Samples]:
    asked = [one for one in everybody if cell.over in one.addresses]
    found = {one.name: Samples() for one in asked}
    for turn in range(rounds + 1):
        for one in asked:
            values = _ask(loader, one, cell, seconds if turn else 0.3, tenants)
            held = found[one.name]
            if turn:  # the first warms up
                for kept, value in zip(
                    (held.rate, held.p50_us, held.p99_us, held.cpu_us), values, strict=True
                ):
                    kept.append(value)
    return found


def rows(cell: Cell, found: dict[str, Samples]) -> list[dict[str, Any]]:
    """The figures of one cell against each baseline; P1's goals hold for one worker, TCP, 32."""
    goals = {("null", "rate"): 0.9, ("fastapi", "rate"): 2.5, ("null", "cpu_us"): 1.2}
    goals |= {("nginx", "cpu_us"): 3.0, ("null", "p50_us"): 1.2}
    stated = cell == Cell(1, "tcp", 32)
    ours, told = found["ours"], []
    for name, baseline in found.items():
        if name == "ours":
            continue
        for figure, unit in (("rate", "1/s"), ("p50_us", "us"), ("p99_us", "us"), ("cpu_us", "us")):
            goal = goals.get((name, figure))
            compare = at_least if figure == "rate" else at_most
            row = compare(
                "P1", f"{cell}: {figure.removesuffix('_us')} against {name}",
                ours.median(figure), baseline.median(figure), unit, goal or 1.0,
            )  # fmt: skip
            told.append(row if stated and goal else row | {"met": None, "goal": "-"})
    return told


def table_of(cell: Cell, found: dict[str, Samples]) -> str:
    """One cell for people: each server's figures, and its CPU against nginx's static answer."""
    lines = [f"{cell!s:<14}{'answers/s':>10}{'p50 us':>9}{'p99 us':>9}{'CPU us':>9}{'/ nginx':>9}"]
    floor = found["nginx"].median("cpu_us") if "nginx" in found else float("nan")
    for name, samples in found.items():
        cpu = samples.median("cpu_us")
        lines.append(
            f"  {name:<12}{samples.median('rate'):>10.0f}{samples.median('p50_us'):>9.1f}"
            f"{samples.median('p99_us'):>9.1f}{cpu:>9.1f}{cpu / floor:>9.2f}"
        )
    return "\n".join(lines)


def all_cells(
    workers: Sequence[int] = (1, 2),
    transports: Sequence[str] = TRANSPORTS,
    connections: Sequence[int] = (1, 32),
) -> list[Cell]:
    """Every combination."""
    return [Cell(w, over, c) for w in workers for over in transports for c in connections]


def main() -> None:
    """Measure the cells that are asked for, all by default."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving_matrix")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--over", nargs="+", choices=TRANSPORTS, default=list(TRANSPORTS))
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 32])
    parser.add_argument("--tenants", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each turn")
    chosen = parser.parse_args()
    cells = all_cells(chosen.workers, chosen.over, chosen.connections)
    print(f"load before: {os.getloadavg()[0]:.2f}, {os.cpu_count()} cores")
    for cell, found in measure_cells(
        cells, chosen.tenants, rounds=chosen.rounds, seconds=chosen.seconds
    ):
        print(table_of(cell, found), flush=True)
        for row in rows(cell, found):
            if row["met"] is not None:
                print(line(row), flush=True)


if __name__ == "__main__":
    main()
