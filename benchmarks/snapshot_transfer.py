"""A delta from a publisher to a node: built, signed, sent by a real worker's stream, applied.

Also what the rest of a snapshot's life costs: build, sign and write; verify and map; swap; a whole
copy over HTTP; and what a node's copy takes on disk.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.promise import at_most, line
from benchmarks.snapshot import entry, make_home, worker_on
from flyball.errors import StorageError
from models.signature import load_public_key
from serving.clock import wall_us
from serving.snapshot.mirror import SnapshotMirror
from serving.snapshot.reader import SnapshotReader
from serving.snapshot.upstream import Upstream

_DELTA = 10_000
_BUDGET_MS = 100.0


def _ms(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1_000


class _Node:
    """A mirror that follows in a thread, and the reader on it."""

    def __init__(self, url: str, folder: Path, key: Any) -> None:
        self._mirror = SnapshotMirror(folder, key)
        self.reader = SnapshotReader(folder, key)
        self._upstream = Upstream(url)
        self._condition = threading.Condition()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        try:
            for chunk in self._upstream.stream(self._mirror.version):
                if self._mirror.take(chunk):
                    self.reader.refresh()
                    with self._condition:
                        self._condition.notify_all()
        except StorageError:
            pass  # closed below

    def wait(self, version: Any) -> None:
        """Until the reader answers from ``version``."""
        with self._condition:
            here = self._condition.wait_for(
                lambda: self.reader.version is not None and self.reader.version >= version, 120
            )
        assert here, "the delta did not come"

    def close(self) -> None:
        """End the stream."""
        self._upstream.close()
        self._thread.join(5)


def measure(quick: bool) -> list[dict[str, Any]]:
    """The figures; ``quick`` takes 600,000 tenants instead of a million."""
    # Few enough rounds that no new base comes in between.
    tenants, rounds = (600_000, 5) if quick else (1_000_000, 9)
    found: list[dict[str, Any]] = []

    def note(name: str, value: float, unit: str) -> None:
        row = at_most("P7", f"{name}, {tenants:,} tenants", value, value or 1.0, unit, 1.0)
        found.append(row | {"met": None, "goal": "reported"})

    with tempfile.TemporaryDirectory(prefix="flyball-bench-") as folder:
        began = time.perf_counter()
        home, writer = make_home(Path(folder) / "home", tenants)
        note("packed, indexed, signed and written", time.perf_counter() - began, "s")
        key = load_public_key(home.verify_key)
        reader = SnapshotReader(home.snapshot, key)
        note("verified and mapped", _ms(reader.refresh), "ms")
        assert reader.base_path is not None
        note("base on disk", reader.base_path.stat().st_size / 1e6, "MB")
        with worker_on(home) as port:
            began = time.perf_counter()
            node = _Node(f"http://127.0.0.1:{port}", Path(folder) / "node", key)
            node.wait(writer.version)
            note("a whole copy sent, verified and mapped", time.perf_counter() - began, "s")
            whole, built, spent = [], [], []
            for step in range(rounds):
                numbers = random.Random(step).sample(range(tenants), _DELTA)
                now_us = wall_us()
                changed = [entry(n, 70 + 15 * (step % 2), now_us + step) for n in numbers]
                began, before = time.perf_counter(), time.thread_time()
                version = writer.publish_changes(changed, created_us=wall_us(), as_of_us=now_us)
                spent.append((time.thread_time() - before) * 1_000)
                built.append((time.perf_counter() - began) * 1_000)
                node.wait(version)
                whole.append((time.perf_counter() - began) * 1_000)
            node.close()
    note("  of which packed, signed and appended", statistics.median(built), "ms")
    # What the processor did: other work on the machine lengthens the rest.
    note("  of which CPU", statistics.median(spent), "ms")
    found.append(
        at_most(
            "P7",
            f"delta of {_DELTA:,} built, sent and applied, {tenants:,} tenants",
            statistics.median(whole),
            _BUDGET_MS,
            "ms",
            1.0,
        )
    )
    return found


if __name__ == "__main__":
    for row in measure("--full" not in sys.argv):
        print(line(row))
