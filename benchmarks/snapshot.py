"""P7: what a serving worker costs at 1,000,000 tenants, and how fast a delta applies.

The baseline is a null ASGI application on the same server (uvicorn, uvloop, httptools). Both run as
two processes, the default. After each has answered the same number of lookups of random tenants,
memory is the proportional set size: what is private to a process, and its share of what both map,
which is the snapshot above all. Resident memory, which counts the snapshot once for every worker,
is reported beside it.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks.promise import at_most
from flyball.home import Home
from flyball.instant import DAY_US, format_instant
from models.signature import create_keypair, load_private_key
from serving.clock import wall_us
from serving.snapshot.entry import Entry
from serving.snapshot.reader import SnapshotReader
from serving.snapshot.writer import SnapshotWriter

_NULL = """
import socket, sys, uvicorn
async def app(scope, receive, send):
    body = b'{"tenantId":"ent_0"}'
    await send({"type": "http.response.start", "status": 200,
                "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})
config = uvicorn.Config(app, loop="uvloop", http="httptools", lifespan="off", ws="none",
                        log_config=None, access_log=False)
uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(sys.argv[1]))])
"""
_MILLION = 1_000_000
_DELTA = 10_000
_BUDGET_MB = 80.0
_BUDGET_S = 1.0
_BUDGET_MS = 5.0


def entry(number: int, arm: int, now_us: int) -> Entry:
    """A made-up decision of tenant ``number``."""
    return Entry(
        tenant_id=f"ent_{number:07d}",
        decision_id=f"d_{number:016x}",
        served_arm=arm,
        base_limit=1_000 + number % 9_000,
        window_seconds=60,
        upgrade_probability=(number % 997) / 1_000,
        churn_probability=(number % 101) / 1_000,
        reasons=("upgrade_effect_outweighs_churn",) if arm < 100 else ("no_arm_pays",),
        model_version="v1",
        policy="value",
        decided_us=now_us,
        period_end_us=now_us + 5 * DAY_US,
    )


def make_home(root: Path, tenants: int) -> tuple[Home, SnapshotWriter]:
    """A home that holds keys and a snapshot of ``tenants`` tenants."""
    home = Home(root)
    home.root.mkdir(parents=True, exist_ok=True)
    create_keypair(home.signing_key, home.verify_key)
    writer = SnapshotWriter(home.snapshot, load_private_key(home.signing_key))
    now_us = wall_us()
    writer.publish_all(
        (entry(number, (85, 100, 115)[number % 3], now_us) for number in range(tenants)),
        aliases={f"key-{number}": f"ent_{number:07d}" for number in range(0, tenants, 10)},
        created_us=now_us,
        as_of_us=now_us,
    )
    return home, writer


@contextmanager
def _serving(argv: list[str]) -> Iterator[tuple[int, int, float]]:
    """Process id, port and seconds until the first answer of a server on an inherited socket."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(128)
    port = listening.getsockname()[1]
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *argv, str(listening.fileno())],
        pass_fds=(listening.fileno(),),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _ask(port, ["ent_0000000"])
        yield process.pid, port, time.perf_counter() - began
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        listening.close()


@contextmanager
def worker_on(home: Home) -> Iterator[int]:
    """The port of one worker that answers from ``home``."""
    argv = ["-m", "serving.worker_process", "--home", str(home.root), "--fd"]
    with _serving(argv) as (_, port, _):
        yield port


def _ask(port: int, names: list[str]) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        for name in names:
            client.sendall(f"GET /v1/decisions/{name} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            raw = b""
            while b"\r\n\r\n" not in raw:
                raw += client.recv(65_536)
            head, _, body = raw.partition(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            while len(body) < length:
                body += client.recv(65_536)


def _memory_mb(pid: int) -> tuple[float, float]:
    """Proportional and resident megabytes of a process."""
    rows = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    kb = {row.split(":")[0]: float(row.split()[1]) for row in rows}
    return kb["Pss"] / 1_024, kb["Rss"] / 1_024


def _workers(argv: list[str], names: list[str]) -> tuple[float, float, float]:
    """Proportional MB, resident MB and start-up seconds of one of two equal workers."""
    with _serving(argv) as (first, port, seconds), _serving(argv) as (second, other, _):
        _ask(port, names)
        _ask(other, names)
        found = [_memory_mb(pid) for pid in (first, second)]
    return (statistics.mean(f[0] for f in found), statistics.mean(f[1] for f in found), seconds)


def _delta_ms(root: Path, tenants: int, rounds: int) -> list[float]:
    """Milliseconds to take over each of several deltas of 10,000 decisions."""
    home, writer = make_home(root, tenants)
    key: Ed25519PrivateKey = load_private_key(home.signing_key)
    reader = SnapshotReader(home.snapshot, key.public_key())
    reader.refresh()
    now_us = wall_us()
    spent = []
    for step in range(rounds):
        numbers = random.Random(step).sample(range(tenants), _DELTA)
        changed = [entry(number, 70 + 15 * (step % 2), now_us + step) for number in numbers]
        writer.publish_changes(changed, created_us=wall_us(), as_of_us=now_us)
        began = time.perf_counter()
        assert reader.refresh()
        spent.append((time.perf_counter() - began) * 1_000)
        assert reader.error is None
    return spent


def measure(quick: bool) -> list[dict[str, Any]]:
    """P7's figures; ``quick`` takes 200,000 tenants instead of a million."""
    tenants = 200_000 if quick else _MILLION
    names = [f"ent_{n:07d}" for n in random.Random(7).choices(range(tenants), k=20_000)]
    os.environ.setdefault("PYTHONSAFEPATH", "1")
    with tempfile.TemporaryDirectory(prefix="flyball-bench-") as folder:
        home, _ = make_home(Path(folder) / "worker", tenants)
        null = Path(folder) / "null.py"
        null.write_text(_NULL)
        worker = ["-m", "serving.worker_process", "--home", str(home.root), "--fd"]
        runs = [(_workers([str(null)], names), _workers(worker, names)) for _ in range(3)]
        spent = _delta_ms(Path(folder) / "delta", tenants, 5 if quick else 9)
    middle = statistics.median
    added_mb = middle(ours[0] - base[0] for base, ours in runs)
    resident_mb = middle(ours[1] - base[1] for base, ours in runs)
    later_s = middle(ours[2] - base[2] for base, ours in runs)
    size = f"{tenants:,} tenants"
    return [
        at_most("P7", f"memory a worker of two adds, {size}", added_mb, _BUDGET_MB, "MB", 1.0),
        at_most(
            "P7", "resident memory (snapshot counted whole)", resident_mb, _BUDGET_MB, "MB", 1.0
        )
        | {"met": None, "goal": "reported"},
        at_most("P7", f"ready later than the null app, {size}", later_s, _BUDGET_S, "s", 1.0),
        at_most("P7", "delta of 10,000 decisions applied", middle(spent), _BUDGET_MS, "ms", 1.0),
    ]


if __name__ == "__main__":
    from benchmarks.promise import line

    print(f"as of {format_instant(wall_us())}")
    for row in measure("--full" not in sys.argv):
        print(line(row))
