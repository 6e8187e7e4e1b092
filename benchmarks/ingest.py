"""P6: durable ingest over HTTP, and proof that nothing acknowledged is lost.

One service with one worker; client processes post CloudEvents batches of 100 over keep-alive
connections, each with new identities, and wait for each 202. Then the service is killed with
SIGKILL, and every acknowledged event is counted in the log. (A kill proves no durability against
power loss; that is what ``synchronous=FULL`` is for, and a contract test checks that setting.)
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.promise import at_least
from benchmarks.serving import wait_until_up
from flyball.home import Home
from flyball.instant import format_instant
from flyball.plan import Limit, Plan
from flyball.tenant import Account
from ledger.records import PlanEntry
from ledger.sqlite_ledger import SqliteLedger
from telemetry.sqlite_store import SqliteEventStore

BATCH = 100
CLIENTS = 4
TENANTS = 1_000
GOAL_PER_SECOND = 20_000


def _accounts(home: Home) -> None:
    now_us = time.time_ns() // 1_000
    plan = Plan(
        plan="pro",
        rank=1,
        monthly_price_minor=9_900,
        currency="USD",
        primary_meter="api.requests",
        limits={"api.requests": Limit(base=10_000, contract=7_000)},
    )
    with SqliteLedger(home.ledger) as ledger:
        ledger.import_plans([PlanEntry(plan=plan)], now_us=now_us)
        old = now_us - 400 * 86_400_000_000
        accounts = (
            Account(
                tenant_id=f"ent_{n}", plan="pro", created_us=old, effective_us=old, known_us=old
            )
            for n in range(TENANTS)
        )
        ledger.import_accounts(accounts, now_us=now_us)


def _bodies(client: int, count: int) -> list[bytes]:
    moment = format_instant(time.time_ns() // 1_000_000_000 * 1_000_000)
    return [
        msgspec.json.encode(
            [
                {
                    "specversion": "1.0",
                    "id": f"{client}-{batch}-{n}",
                    "source": "gw-1",
                    "type": "api.requests",
                    "subject": f"ent_{(batch * BATCH + n) % TENANTS}",
                    "time": moment,
                    "data": {"quantity": 1 + n % 7},
                }
                for n in range(BATCH)
            ]
        )
        for batch in range(count)
    ]


def _read_head(sock: socket.socket) -> bytes:
    raw = b""
    while b"\r\n\r\n" not in raw:
        raw += sock.recv(65536)
    head, _, body = raw.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    while len(body) < length:
        body += sock.recv(65536)
    assert b" 202 " in head.split(b"\r\n")[0], raw[:300]
    return body


def _client(number: int, port: int, batches: int, gate: Any, results: Queue[Any]) -> None:
    requests = [
        b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Type: application/cloudevents-batch+json\r\nContent-Length: %d\r\n\r\n%b"
        % (len(body), body)
        for body in _bodies(number, batches)
    ]
    with socket.create_connection(("127.0.0.1", port)) as sock:
        gate.wait()
        began = time.monotonic()
        accepted = 0
        for request in requests:
            sock.sendall(request)
            accepted += msgspec.json.decode(_read_head(sock))["accepted"]
        results.put((accepted, began, time.monotonic()))


def measure(quick: bool) -> list[dict[str, Any]]:
    """P6's figures; ``quick`` sends 100,000 events, else 1,000,000."""
    batches = (100_000 if quick else 1_000_000) // BATCH // CLIENTS
    with tempfile.TemporaryDirectory(prefix="flyball-bench-") as folder:
        home = Home(Path(folder) / "home")
        _accounts(home)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        argv = [sys.executable, "-m", "commands", "--home", str(home.root), "serve"]
        argv += ["--port", str(port), "--workers", "1", "--data-path-only"]
        process = subprocess.Popen(
            argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        try:
            wait_until_up(port)
            acknowledged, rate = _load(port, batches)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        store = SqliteEventStore(home.events)
        kept = len(store.events_since(0, limit=10_000_000))
        store.close()
    return [
        at_least("P6", "events/s made durable, batches of 100", rate, GOAL_PER_SECOND, "1/s", 1.0),
        at_least(
            "P6", "acknowledged events found after SIGKILL", kept, acknowledged, "events", 1.0
        ),
    ]


def _load(port: int, batches: int) -> tuple[int, float]:
    context = multiprocessing.get_context("spawn")
    gate, results = context.Barrier(CLIENTS), context.Queue()
    clients = [
        context.Process(target=_client, args=(number, port, batches, gate, results))
        for number in range(CLIENTS)
    ]
    for client in clients:
        client.start()
    found = [results.get(timeout=600) for _ in clients]
    for client in clients:
        client.join()
    acknowledged = sum(accepted for accepted, _, _ in found)
    elapsed = max(end for *_, end in found) - min(start for _, start, _ in found)
    return acknowledged, acknowledged / elapsed


if __name__ == "__main__":
    from benchmarks.promise import line

    for figure in measure("--full" not in sys.argv):
        print(line(figure))
