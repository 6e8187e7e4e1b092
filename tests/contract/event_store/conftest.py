"""Every event log there is; a new one joins by its name here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from telemetry.memory_store import MemoryEventStore
from telemetry.sqlite_store import SqliteEventStore
from telemetry.store import EventStore


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EventStore]:
    """An empty event log."""
    opened: EventStore
    if request.param == "memory":
        opened = MemoryEventStore()
    else:
        opened = SqliteEventStore(tmp_path / "events.sqlite")
    yield opened
    opened.close()
