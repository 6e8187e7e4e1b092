"""What a reader answers."""

from __future__ import annotations

import json

from serving.snapshot.reader import SnapshotReader


def multiplier(reader: SnapshotReader, name: str, now_us: int) -> float:
    """The multiplier in the answer for ``name``."""
    value = json.loads(reader.answer(name, now_us))["dynamicMultiplier"]
    assert isinstance(value, float)
    return value
