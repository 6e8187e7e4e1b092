"""A loop that tightens everybody, a clock that the test sets, and what gateways are then told."""

from __future__ import annotations

import json
from typing import Any

from serving.clock import wall_us
from serving.settings import settings_from
from serving.snapshot.reader import SnapshotReader

ALL_TIGHT = settings_from(
    {
        "policy": {"name": "constant", "arm": 85},
        "guardrails": {"friction_share": 1.0},
        "decisions": {"tick_ms": 10},
    }
)


class Clock:
    """Stands where the test puts it."""

    def __init__(self, now_us: int) -> None:
        self.at_us = now_us

    def now_us(self) -> int:
        return self.at_us


def served(reader: SnapshotReader, name: str) -> dict[str, Any]:
    """The decision that ``name`` is answered now."""
    reader.refresh()
    assert reader.error is None
    answer: dict[str, Any] = json.loads(reader.answer(name, wall_us()))
    return answer


def tight(reader: SnapshotReader, kit: Any) -> str:
    """A tenant that is served less than its base limit."""
    found: str = next(t for t in kit.tenants if served(reader, t)["dynamicMultiplier"] == 0.85)
    return found
