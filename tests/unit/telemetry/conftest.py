"""Events, limits and homes for tests of telemetry."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from flyball.home import Home
from flyball.usage import UsageEvent
from telemetry.store import KnownTenant, Resolve
from telemetry.tile_fold import LIMIT_SCHEMA

#: 2026-01-05T00:00:00Z, a Monday.
MONDAY_US = 1_767_571_200_000_000

EventMaker = Callable[..., UsageEvent]
LimitMaker = Callable[..., Any]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An empty home."""
    return Home(tmp_path / "home")


@pytest.fixture
def everyone() -> Resolve:
    """Every name is a tenant that has always been there."""
    return lambda name: KnownTenant(name, 0)


@pytest.fixture
def event() -> EventMaker:
    """Makes an event; ``at`` and ``late`` are seconds (after Monday, after the event)."""

    def make(event_id: str, at: float = 0.0, late: float = 1.0, **values: Any) -> UsageEvent:
        time_us = MONDAY_US + round(at * 1e6)
        defaults = {
            "tenant_id": "ent_1",
            "source": "gw",
            "meter": "api.requests",
            "quantity": 1.0,
        }
        return UsageEvent(
            event_id=event_id,
            time_us=time_us,
            arrived_us=time_us + round(late * 1e6),
            **{**defaults, **values},
        )

    return make


@pytest.fixture
def limits() -> LimitMaker:
    """Makes ``limit_in_force`` from rows (tenant, meter, from_hour, base, window_seconds)."""

    def make(*rows: tuple[str, str, int, int, int]) -> Any:
        return pa.Table.from_pylist(
            [dict(zip(LIMIT_SCHEMA.names, row, strict=True)) for row in rows], schema=LIMIT_SCHEMA
        )

    return make
