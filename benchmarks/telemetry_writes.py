"""How many writes a gateway node saves by adding usage up, and what it loses when it is killed.

The first part counts the same traffic twice: one event for each request, and what the product's own
``UsageReport`` posts. Traffic is random, and tenants differ much in size (Zipf). The second part
runs nodes that count as fast as they can, kills each with SIGKILL at a random moment, and compares
what it had counted with what was posted or spooled, to the unit. A killed node must lose no more
than what it had counted since its last flush, and nothing may be there twice.

    python -m benchmarks.telemetry_writes [--full]
"""

from __future__ import annotations

import argparse
import json
import mmap
import os
import random
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.promise import at_most, line
from flyball.instant import MINUTE_US, SECOND_US
from serving.middleware.usage_report import UsageReport

_ROOT = Path(__file__).resolve().parents[1]
_START_US = 29_459_520 * MINUTE_US
_SEED = 20_260_105
#: Requests a second, and tenants that they come from.
_TRAFFIC = ((1_000, 1_000), (100, 10_000))
_FLUSH_SECONDS = (10, 60, 300)
_CHILD_FLUSH_SECONDS = 0.2

#: Counts until it is killed, and says in a mapped file how much, and how much at its last flush.
_CHILD = """
import mmap, struct, sys, time
from pathlib import Path
from serving.middleware.usage_report import UsageReport

spool, posted, told, flush_seconds = Path(sys.argv[1]), sys.argv[2], sys.argv[3], float(sys.argv[4])

def post(body):
    with open(posted, "ab") as file:
        file.write(body + b"\\n")
    return True

usage = UsageReport(spool, source="gateway/killed", post=post)
with open(told, "r+b") as file:
    said = mmap.mmap(file.fileno(), 16)
counted, due = 0, time.monotonic() + flush_seconds
while True:
    struct.pack_into("<q", said, 0, counted + 1)  # said first: what is not said cannot be missed
    usage.count(f"t{counted % 50}", "api.requests", 1, time.time_ns() // 1000)
    counted += 1
    if time.monotonic() >= due:
        flushing = counted
        usage.flush()
        struct.pack_into("<q", said, 8, flushing)
        due = time.monotonic() + flush_seconds
"""


@dataclass(frozen=True)
class Writes:
    """Requests, and what a node sent of them: messages, and events (rows) in these."""

    requests: int
    posts: int
    events: int
    bytes: int


def added_up(requests: int, tenants: int, *, flush_seconds: int, minutes: int) -> Writes:
    """What the product posts of ``requests`` a second, by its own code."""
    generator = np.random.default_rng(_SEED)
    posted: list[bytes] = []

    def post(body: bytes) -> bool:
        posted.append(body)
        return True

    with tempfile.TemporaryDirectory() as folder:
        usage = UsageReport(Path(folder), source="gateway/edge-1", post=post)
        share = 1 / np.arange(1, tenants + 1)
        share /= share.sum()
        for second in range(minutes * 60):
            now_us = _START_US + second * SECOND_US
            for tenant in generator.choice(tenants, generator.poisson(requests), p=share):
                usage.count(f"ent_{tenant}", "api.requests", 1, now_us)
            if (second + 1) % flush_seconds == 0:
                usage.flush()
        usage.flush()
    events = sum(len(json.loads(body)) for body in posted)
    return Writes(usage.counted, len(posted), events, sum(map(len, posted)))


def killed(seconds: float) -> tuple[int, int, int]:
    """Counted, lost and most allowed to be lost by a node that lived ``seconds``."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        spool, posted, told = root / "spool", root / "posted", root / "told"
        posted.touch()
        told.write_bytes(bytes(16))
        child = subprocess.Popen(
            [sys.executable, "-c", _CHILD, *map(str, (spool, posted, told, _CHILD_FLUSH_SECONDS))],
            env={**os.environ, "PYTHONPATH": str(_ROOT), "PYTHONSAFEPATH": "1"},
        )
        with told.open("r+b") as file:
            said = mmap.mmap(file.fileno(), 16)
        while struct.unpack_from("<q", said, 8)[0] == 0:  # its first flush
            if child.poll() is not None:
                raise RuntimeError("the node has ended by itself")
            time.sleep(0.01)
        time.sleep(seconds)
        child.send_signal(signal.SIGKILL)
        child.wait(10)
        counted, flushed = struct.unpack("<qq", said[:16])
        kept = _kept(spool, posted)
    return counted, counted - kept, counted - flushed


def _kept(spool: Path, posted: Path) -> int:
    """Requests that were posted or wait in the spool, each event once, as the service counts."""
    events: dict[str, int] = {}
    for event in _events(spool, posted):
        events[event["id"]] = int(event["data"]["quantity"])
    return sum(events.values())


def _events(spool: Path, posted: Path) -> Iterator[dict[str, Any]]:
    for body in posted.read_bytes().splitlines():
        # The last line may have been cut: it was not acknowledged, and is still in the spool.
        if body.endswith(b"]"):
            yield from json.loads(body)
    for path in spool.glob("*.json"):
        yield from json.loads(path.read_bytes())


def measure(quick: bool) -> list[dict[str, Any]]:
    """Writes against one per request, and what killed nodes lost.

    Raises
    ------
    RuntimeError
        A killed node left more than it had counted.
    """
    minutes, nodes = (5, 10) if quick else (10, 100)
    rows = []
    for requests, tenants in _TRAFFIC:
        for seconds in _FLUSH_SECONDS:
            writes = added_up(requests, tenants, flush_seconds=seconds, minutes=minutes)
            name = f"{requests}/s of {tenants} tenants, flush {seconds} s"
            print(
                f"{name}: {writes.requests} requests in {writes.posts} posts of {writes.events} "
                f"events, {writes.bytes / 1e6:.2f} MB; killed, it loses what was counted in "
                f"{seconds} s, about {requests * seconds} requests, at most",
                file=sys.stderr,
            )
            row = at_most("T", f"events, {name}", writes.events, writes.requests, "events", 1.0)
            rows.append({**row, "goal": "-", "met": None})
    chance = random.Random(_SEED)
    fates = [killed(chance.uniform(0, 3 * _CHILD_FLUSH_SECONDS)) for _ in range(nodes)]
    if any(lost < 0 for _, lost, _ in fates):
        raise RuntimeError("a killed node left more than it had counted")
    counted, lost, bound = (sum(column) for column in zip(*fates, strict=True))
    print(f"{nodes} nodes killed after {counted} requests: {lost} lost", file=sys.stderr)
    rows.append(at_most("T", "lost by killed nodes, of what was not flushed", lost, bound, "", 1.0))
    broken = sum(lost > bound for _, lost, bound in fates)
    row = at_most("T", "killed nodes that lost more than that", broken, nodes, "nodes", 0.0)
    return [*rows, row]


def main() -> int:
    """Measure and print; 0 unless something did not run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.telemetry_writes")
    parser.add_argument("--full", action="store_true", help="longer, and more nodes to kill")
    arguments = parser.parse_args()
    for row in measure(not arguments.full):
        print(line(row))
    return 0


if __name__ == "__main__":
    sys.exit(main())
