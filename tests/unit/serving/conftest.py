"""Entries and a signed snapshot directory for tests of the data path."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from flyball.instant import DAY_US, parse_instant
from serving.snapshot.entry import Entry
from serving.snapshot.reader import SnapshotReader
from serving.snapshot.writer import SnapshotWriter

MakeEntry = Callable[..., Entry]


@pytest.fixture
def now_us() -> int:
    return parse_instant("2026-01-07T12:00:00Z")


@pytest.fixture
def entry(now_us: int) -> MakeEntry:
    def make(tenant_id: str = "ent_1", **changes: object) -> Entry:
        values: dict[str, object] = {
            "tenant_id": tenant_id,
            "decision_id": "d_00112233445566ff",
            "served_arm": 85,
            "base_limit": 10_000,
            "window_seconds": 60,
            "upgrade_probability": 0.92,
            "churn_probability": 0.03,
            "reasons": ("upgrade_effect_outweighs_churn",),
            "model_version": "7",
            "policy": "value",
            "decided_us": now_us,
            "period_end_us": now_us + 5 * DAY_US,
        }
        return Entry(**{**values, **changes})  # type: ignore[arg-type]

    return make


@pytest.fixture
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "snapshot"


@pytest.fixture
def writer(directory: Path, key: Ed25519PrivateKey) -> SnapshotWriter:
    return SnapshotWriter(directory, key)


@pytest.fixture
def reader(directory: Path, key: Ed25519PrivateKey, tmp_path: Path) -> SnapshotReader:
    return SnapshotReader(directory, key.public_key(), kill=tmp_path / "kill")
