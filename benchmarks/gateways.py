"""What asking Flyball adds to a request through the real Envoy, beside asking a null service.

For the shipped HTTP and gRPC ext_authz configurations: the same Envoy without the filter, with it
asking ``flyball serve``, and with it asking a null service (a bare ASGI app under uvicorn; a bare
grpcio server), all over Unix sockets, one connection, one request at a time. Rounds take turns, so
that what else the machine does meets all alike; figures are medians over rounds, and the noise is
the spread of the plain Envoy's medians. Goal: a request takes at most 1.5 × as long as with the
null service. What is added is the median of differences within a round.

    python -m benchmarks.gateways [--full]
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.promise import at_most, line
from benchmarks.serving import make_home

_ROOT = Path(__file__).resolve().parents[1]
_CONFIGURATIONS = {"HTTP ext_authz": "forward-auth", "gRPC ext_authz": "ext-authz"}

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


@dataclass
class _Way:
    """One Envoy under measurement: what it listens on, and each round's percentiles (µs)."""

    name: str
    port: int
    p50_us: list[float] = field(default_factory=list)
    p99_us: list[float] = field(default_factory=list)
    refused: int = 0

    def round(self, requests: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        taken = []
        for number in range(requests + 20):
            began = time.perf_counter_ns()
            connection.request("GET", "/v1/things", headers={"x-api-key": "demo-key-1"})
            answer = connection.getresponse()
            answer.read()
            if number >= 20:  # the first ones warm the connections up
                taken.append((time.perf_counter_ns() - began) / 1_000)
                missing = self.name != "plain" and answer.headers["flyball-state"] == "open"
                self.refused += answer.status != 200 or (missing and "null" not in self.name)
        connection.close()
        taken.sort()
        self.p50_us.append(taken[len(taken) // 2])
        self.p99_us.append(taken[int(len(taken) * 0.99)])


def measure(quick: bool) -> list[dict[str, Any]]:
    """Latency added by each configuration, ours against a null service."""
    rounds, requests = (5, 300) if quick else (15, 500)
    rows = []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        root = Path(folder)
        home = make_home(root / "home", 100)
        home.settings.write_text(f'[grpc]\nlisten = "unix:{root}/grpc.sock"\n')
        python = [sys.executable, "-m"]
        serve = [*python, "commands", "--home", str(home.root), "serve", "--data-path-only"]
        serve += ["--port", "0", "--workers", "1", "--uds", str(root / "http.sock")]
        (root / "null_http.py").write_text(_NULL_HTTP)
        (root / "null_grpc.py").write_text(_NULL_GRPC)
        nothing = [*python, "uvicorn", "null_http:app", "--app-dir", folder, "--lifespan", "off"]
        nothing += ["--uds", f"{folder}/null-http.sock", "--no-access-log", "--log-level", "error"]
        for command in (
            serve,
            nothing,
            [sys.executable, str(root / "null_grpc.py"), f"{folder}/null-grpc.sock"],
        ):
            stack.enter_context(_process(command))
        for name in ("http", "grpc", "null-http", "null-grpc"):
            _wait(root / f"{name}.sock")
        ways: dict[str, _Way] = {}
        for number, (label, file) in enumerate(_CONFIGURATIONS.items()):
            tenant = f"ent_{number * 5 + 2}"  # at its base limit
            for kind in ("plain", "ours", "null"):
                ways[f"{label} {kind}"] = stack.enter_context(
                    _envoy(root, f"{label} {kind}", file, kind, tenant)
                )
        for _ in range(rounds):
            for way in ways.values():
                way.round(requests)
    for label in _CONFIGURATIONS:
        plain, ours, null = (ways[f"{label} {kind}"] for kind in ("plain", "ours", "null"))
        if ours.refused:
            print(f"{label}: {ours.refused} answers were late or refused", file=sys.stderr)
        spread = max(plain.p50_us) - min(plain.p50_us)
        print(f"{label}: plain p50 {_median(plain.p50_us):.0f} ± {spread / 2:.0f} µs (noise)")
        for percentile in ("p50_us", "p99_us"):
            base, told = getattr(plain, percentile), f"Envoy, {label}, {percentile[:3]}"
            mine, empty = getattr(ours, percentile), getattr(null, percentile)
            added = statistics.median(a - b for a, b in zip(mine, base, strict=True))
            bare = statistics.median(a - b for a, b in zip(empty, base, strict=True))
            print(f"{told}: added {added:.0f} µs; by a null service {bare:.0f} µs")
            name = f"{told}: asking Flyball, against asking a null service"
            rows.append(at_most("gateways", name, _median(mine), _median(empty), "µs", 1.5))
    return rows


def _median(values: Sequence[float]) -> float:
    return statistics.median(values)


def _wait(path: Path, seconds: float = 60) -> None:
    ends = time.monotonic() + seconds
    while not path.exists():
        if time.monotonic() > ends:
            raise RuntimeError(f"{path.name} is not there after {seconds:.0f} s")
        time.sleep(0.05)


@contextmanager
def _process(command: Sequence[str]) -> Iterator[None]:
    environment = {**os.environ, "PYTHONPATH": str(_ROOT), "PYTHONSAFEPATH": "1"}
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def _envoy(root: Path, name: str, file: str, kind: str, tenant: str) -> Iterator[_Way]:
    found = next(Path(sys.prefix).glob("envoy/lib/python*/site-packages/envoy/_bin/envoy"), None)
    if found is None:
        raise RuntimeError("Envoy is not installed: make envoy")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    text = (_ROOT / "gateways" / "envoy" / f"{file}.yaml").read_text()
    if kind == "plain":
        start = text.index("          # 3. ")
        text = text[:start] + text[text.index("          # 4. ") :]
        text = text.partition("                typed_per_filter_config:\n")[0] + (
            "          http_filters:" + text.partition("          http_filters:")[2]
            if "typed_per_filter_config" in text
            else ""
        )
    prefix = "null-" if kind == "null" else ""
    for old, new in (
        ("port_value: 8081", f"port_value: {port}"),
        ("port_value: 9901", "port_value: 0"),
        ("route: {cluster: service}", "direct_response: {status: 200}"),
        ("/run/flyball/", f"{root}/{prefix}"),
        ("client: ent_1", f"client: {tenant}"),
        # Late answers would be counted as fast ones.
        ("timeout: 0.020s", "timeout: 5s"),
    ):
        text = text.replace(old, new)
    path = root / f"{name.replace(' ', '-')}.yaml"
    path.write_text(text)
    command = [str(found), "-c", str(path), "--concurrency", "1", "--disable-hot-restart"]
    with _process([*command, "--log-level", "error"]):
        ends = time.monotonic() + 30
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if time.monotonic() > ends:
                raise RuntimeError(f"Envoy does not start with {path.name}")
            time.sleep(0.05)
        yield _Way(name if kind != "plain" else "plain", port)


def main() -> int:
    """Measure and print; 0 unless something did not run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gateways")
    parser.add_argument("--full", action="store_true", help="more rounds")
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    arguments = parser.parse_args()
    rows = measure(not arguments.full)
    for row in rows:
        print(line(row))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(rows, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
