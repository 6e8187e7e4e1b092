"""A real gRPC server on a real socket, over a small signed snapshot, and a client for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from flyball.home import Home
from ledger.records import PlanEntry
from ledger.sqlite_ledger import SqliteLedger
from models.signature import create_keypair, load_private_key, load_public_key
from serving.envoy.desk import Desk
from serving.envoy.grpc_settings import GrpcSettings
from serving.envoy.server import EnvoyServer
from serving.forward_auth.authorize_settings import AuthorizeSettings
from serving.snapshot.writer import SnapshotWriter
from serving.worker import Worker
from tests.contract.ledger_store.records import NOW, account, plan
from tests.integration.envoy.running import Envoy
from tests.integration.service.running import entry


@pytest.fixture
def grpc_settings() -> GrpcSettings:
    return GrpcSettings(listen="127.0.0.1:0", assignment_seconds=10)


@pytest.fixture
def envoy(tmp_path: Path, grpc_settings: GrpcSettings) -> Iterator[Envoy]:
    home = Home(tmp_path / "home")
    create_keypair(home.signing_key, home.verify_key)
    writer = SnapshotWriter(home.snapshot, load_private_key(home.signing_key))
    with SqliteLedger(home.ledger) as ledger:
        ledger.import_plans([PlanEntry(plan=plan("free").plan)], now_us=NOW)
        ledger.import_accounts([account("ent_1"), account("ent_2")], now_us=NOW)
    worker = Worker(home, load_public_key(home.verify_key))
    running = Envoy(home, worker, writer)
    running.publish(entry("ent_1", base=10), entry("ent_2", 100, base=10))
    desk = Desk(worker, grpc_settings, AuthorizeSettings(plan_url="https://example.com/plan"))
    started, stop = threading.Event(), threading.Event()

    async def serve() -> None:
        async with EnvoyServer(desk) as server:
            running.port = server.port
            started.set()
            while not stop.is_set():
                await asyncio.sleep(0.02)

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert started.wait(10)
    worker.keep_fresh()
    running.channel = grpc.insecure_channel(f"127.0.0.1:{running.port}")
    yield running
    running.channel.close()
    stop.set()
    thread.join(20)
    desk.close()
    worker.close()
