"""P4: from an acknowledged event to the changed decision in a reader's snapshot.

Every tenant is tightened; an event that is a spike must end that. 1,000 different tenants spike per
second, posted in batches; a reader refreshes as a worker does and notes when each tenant's answer
has changed. The baseline is the promise itself, 2 seconds.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.promise import at_most
from commands.main import run
from features.catalogue import feature_hash, feature_names
from flyball.arm import DEFAULT_GRID
from flyball.home import Home
from flyball.instant import DAY_US, HOUR_US
from flyball.usage import UsageEvent
from ledger.sqlite_ledger import SqliteLedger
from models.bundle import write_bundle
from models.current import publish
from models.signature import create_keypair, load_private_key, load_public_key
from serving.clock import wall_us
from serving.snapshot.reader import SnapshotReader
from telemetry.sqlite_store import SqliteEventStore
from telemetry.store import KnownTenant
from training.export.draft import Training, draft_bundle
from training.outcome_model import FittedOutcome, Linear

_PER_SECOND = 1_000
_BATCH = 100
_BUDGET_S = 2.0
_TOML = """
[policy]
name = "constant"
arm = 85
[guardrails]
friction_share = 1.0
"""


def _names(tenants: int) -> list[str]:
    return [f"ent_{number:06d}" for number in range(tenants)]


def _import(home: Home, folder: Path, tenants: int, now_us: int) -> None:
    """Accounts, a plan and 28 days of daily usage, through the product's own import."""
    folder.mkdir()
    created = now_us - 100 * DAY_US
    names = _names(tenants)
    limits = {"api.requests": {"base": 1_000, "contract": 700, "per": "hour"}}
    plan = {"plan": "pro", "rank": 1, "monthly_price_minor": 10_000, "currency": "USD"}
    plan |= {"primary_meter": "api.requests", "limits": limits}
    (folder / "plans.json").write_text(json.dumps([plan]))
    stamp = pa.timestamp("us", "UTC")
    accounts = {
        "tenant_id": names,
        "plan": ["pro"] * tenants,
        "segment": ["smb"] * tenants,
        "created_at": pa.array([created] * tenants, pa.int64()).cast(stamp),
    }
    pq.write_table(pa.table(accounts), folder / "accounts.parquet")
    days = np.arange(1, 29)
    at = (now_us - days * DAY_US).astype(np.int64)
    usage = {
        "id": [f"u{day}" for day in days for _ in range(tenants)],
        "tenant_id": names * len(days),
        "time": pa.array(np.repeat(at, tenants)).cast(stamp),
        "meter": ["api.requests"] * (tenants * len(days)),
        "quantity": np.random.default_rng(1).uniform(200, 900, tenants * len(days)).round(),
    }
    pq.write_table(pa.table(usage), folder / "usage.parquet")
    if run(["--home", str(home.root), "import", str(folder)]) != 0:
        raise RuntimeError("the import failed")


def publish_bundle(home: Home, folder: Path, now_us: int) -> None:
    """A bundle of logistic models, and an experiment that draws nothing else."""
    features = feature_names()
    linear = Linear(
        coef=np.full(len(features), 0.01),
        intercept=-3.0,
        impute=np.zeros(len(features)),
        mean=np.zeros(len(features)),
        scale=np.full(len(features), 1_000.0),
    )
    draft = draft_bundle(
        Training(
            version="b1",
            created_us=now_us,
            as_of_us=now_us,
            features=features,
            feature_hash=feature_hash(),
            factor_groups={"all": features},
            outcomes=[
                FittedOutcome("upgrade", "logistic", 0.05, linear=linear),
                FittedOutcome("downgrade", "none", 0.01, reason="none"),
                FittedOutcome("churn", "logistic", 0.05, linear=linear),
            ],
            arms=DEFAULT_GRID,
            period_days=7,
            segments=("smb",),
            effect_mean=np.zeros((2, 5, 3)),
            effect_sd=np.full((2, 5, 3), 0.001),
            effect_trust=np.ones((2, 5), dtype=np.int64),
            sample=np.zeros((8, len(features))),
            card="# Benchmark\n",
        )
    )
    if not home.verify_key.exists():
        create_keypair(home.signing_key, home.verify_key)
    write_bundle(folder, draft, load_private_key(home.signing_key))
    publish(folder, home.bundles, load_public_key(home.verify_key), published_us=now_us)
    with SqliteLedger(home.ledger) as ledger:
        ledger.start_experiment(
            "bench",
            epsilon=0.0,
            holdout_share=0.0,
            author="bench",
            reason="bench",
            now_us=now_us - DAY_US,
        )


def _feed(home: Home, names: list[str], acknowledged: dict[str, float]) -> None:
    """Post one spike per tenant, at the promised rate; note when each was acknowledged."""
    store = SqliteEventStore(home.events)
    created = wall_us() - 100 * DAY_US
    began = time.perf_counter()
    try:
        for start in range(0, len(names), _BATCH):
            due = began + start / _PER_SECOND
            time.sleep(max(0.0, due - time.perf_counter()))
            now_us = wall_us()
            batch = names[start : start + _BATCH]
            events = [
                UsageEvent(
                    tenant_id=name,
                    source="bench",
                    event_id="spike",
                    time_us=now_us,
                    arrived_us=now_us,
                    meter="api.requests",
                    quantity=1e6,
                )
                for name in batch
            ]
            store.append(events, lambda name: KnownTenant(name, created))
            done = time.perf_counter()
            acknowledged.update(dict.fromkeys(batch, done))
    finally:
        store.close()


def _watch(
    reader: SnapshotReader, acknowledged: dict[str, float], total: int, seconds: float
) -> dict[str, float]:
    """When each tenant's answer was first seen at multiplier 1."""
    seen: dict[str, float] = {}
    waiting: dict[str, None] = {}
    taken = 0
    deadline = time.perf_counter() + seconds
    while len(seen) < total and time.perf_counter() < deadline:
        reader.refresh()
        now_us, at = wall_us(), time.perf_counter()
        known = list(acknowledged)
        waiting.update(dict.fromkeys(known[taken:]))
        taken = len(known)
        for name in list(waiting):
            if reader.lookup(name, now_us).arm == 100:
                seen[name] = at
                del waiting[name]
        time.sleep(0.05)
    return seen


@contextmanager
def _control_loop(home: Home) -> Iterator[None]:
    """The control loop as the service runs it: a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "serving.control_process", "--home", str(home.root)],
        stdout=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


def _first_snapshot(reader: SnapshotReader) -> float:
    """Seconds until there is one."""
    began = time.perf_counter()
    while not reader.refresh():
        if time.perf_counter() - began > 600:
            raise RuntimeError("the control loop published nothing")
        time.sleep(0.05)
    return time.perf_counter() - began


def measure(quick: bool) -> list[dict[str, Any]]:
    """P4's figures; ``quick`` takes 20,000 tenants for 6 seconds, else 100,000 for 20."""
    tenants, seconds = (20_000, 6) if quick else (100_000, 20)
    total = _PER_SECOND * seconds
    now_us = wall_us() // HOUR_US * HOUR_US
    with tempfile.TemporaryDirectory(prefix="flyball-bench-") as folder:
        home = Home(Path(folder) / "home")
        _import(home, Path(folder) / "in", tenants, now_us)
        publish_bundle(home, Path(folder) / "b1", now_us)
        home.settings.write_text(_TOML)
        reader = SnapshotReader(home.snapshot, load_public_key(home.verify_key))
        with _control_loop(home):
            first_s = _first_snapshot(reader)
            names = [n for n in _names(tenants) if reader.lookup(n, wall_us()).arm == 85][:total]
            acknowledged: dict[str, float] = {}
            feeding = threading.Thread(target=_feed, args=(home, names, acknowledged))
            feeding.start()
            seen = _watch(reader, acknowledged, len(names), seconds + 60)
            feeding.join()
    waits = sorted(seen[name] - acknowledged[name] for name in seen)
    missing = len(names) - len(waits)
    spread = {share: waits[int(share * (len(waits) - 1))] for share in (0.5, 0.99, 1.0)}
    size = f"{tenants:,} tenants"
    rows = [
        at_most("P4", f"event to decision, median, {size}", spread[0.5], _BUDGET_S, "s", 1.0),
        at_most("P4", f"event to decision, slowest, {size}", spread[1.0], _BUDGET_S, "s", 1.0),
        at_most("P4", "changed decisions never seen", missing, 1.0, "tenants", 0.0),
    ]
    full = at_most("P4", f"start to first snapshot, {size}", first_s, 1.0, "s", 1.0)
    return [*rows, full | {"met": None, "goal": "reported"}]


if __name__ == "__main__":
    from benchmarks.promise import line

    for row in measure("--full" not in sys.argv):
        print(line(row))
