from __future__ import annotations

import threading
import time
from pathlib import Path

from flyball.home import Home
from flyball.usage import UsageEvent
from serving.sealing import keep_sealed
from telemetry.file_lock import directory_lock
from telemetry.sqlite_store import SqliteEventStore
from telemetry.store import KnownTenant


def test_old_events_are_sealed_once_nothing_else_writes_the_history(tmp_path: Path) -> None:
    home = Home(tmp_path)
    store = SqliteEventStore(home.events)
    event = UsageEvent(
        tenant_id="a",
        source="s",
        event_id="1",
        time_us=1,
        arrived_us=2,
        meter="exports",
        quantity=1,
    )
    store.append([event], lambda name: KnownTenant(name, 0))
    store.close()
    stopping = threading.Event()
    sealer = threading.Thread(target=keep_sealed, args=(home, stopping), kwargs={"every_s": 0.01})
    with directory_lock(home.history):
        sealer.start()
        time.sleep(0.1)
        assert not list(home.history.glob("day=*/*.parquet"))
    deadline = time.monotonic() + 20
    while not list(home.history.glob("day=*/seal-*.parquet")) and time.monotonic() < deadline:
        time.sleep(0.01)
    stopping.set()
    sealer.join(20)
    assert len(list(home.history.glob("day=*/seal-*.parquet"))) == 1
