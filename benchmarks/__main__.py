"""``make bench``: run the promises' measurements and write ``build/bench.json``.

Quick sizes by default (minutes on two cores), ``--full`` for the sizes that the design names. The
machine may be shared: every figure is a ratio of two things measured in the same run.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from benchmarks.promise import line

#: Promise to the module whose ``measure(quick)`` gives its figures.
PROMISES = {
    "P1": "benchmarks.serving",
    "P2": "benchmarks.scoring",
    "P3": "benchmarks.features",
    "P4": "benchmarks.reaction",
    "P5": "benchmarks.on_demand",
    "P6": "benchmarks.ingest",
    "P7": "benchmarks.snapshot",
    "P8": "benchmarks.learning",
    "C": "benchmarks.console",
    "G": "benchmarks.gateways",
    "T": "benchmarks.telemetry_writes",
}


def run(promise: str, *, quick: bool) -> list[dict[str, Any]]:
    """The figures of one promise; a measurement that fails is a figure that is not met."""
    began = time.perf_counter()
    print(f"\n{promise}: {PROMISES[promise]} ...", file=sys.stderr, flush=True)
    try:
        rows: list[dict[str, Any]] = importlib.import_module(PROMISES[promise]).measure(quick)
    except Exception as error:
        traceback.print_exc()
        nan = float("nan")
        failed = f"failed: {error!r}"[:200]
        return [
            {"promise": promise, "name": failed, "ours": nan, "baseline": nan, "ratio": nan}
            | {"unit": "", "goal": "runs", "met": False}
        ]
    for row in rows:
        print(line(row), flush=True)
    print(f"{promise} took {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    return rows


def main() -> int:
    """Run the named promises (all by default); 0 if every measurement ran."""
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("promise", nargs="*", choices=[*PROMISES, []], help="which (default: all)")
    parser.add_argument("--full", action="store_true", help="the sizes of the design")
    parser.add_argument("--out", type=Path, default=Path("build/bench.json"))
    arguments = parser.parse_args()
    chosen = arguments.promise or list(PROMISES)
    results = {promise: run(promise, quick=not arguments.full) for promise in chosen}
    machine = {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
    }
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(
        json.dumps({"full": arguments.full, "machine": machine, "promises": results}, indent=2)
    )
    rows = [row for figures in results.values() for row in figures]
    missed = [row for row in rows if row.get("met") is False]
    print(f"\n{len(rows)} figures, {len(missed)} missed; written to {arguments.out}")
    for row in missed:
        print(line(row))
    # A missed goal is a finding, not a crash; a measurement that did not run is.
    return int(any(str(row["name"]).startswith("failed") for row in rows))


if __name__ == "__main__":
    sys.exit(main())
