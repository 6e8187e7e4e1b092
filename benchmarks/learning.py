"""P8: dataset, risk models with gates, and effects for 10,000 tenants x 26 weeks.

A simulated population is imported as anyone's data would be; then what ``flyball train`` does is
timed step by step. The quick run takes 2,000 tenants and a fifth of the allowance: every step grows
about linearly with rows, so this is a fair forecast, not the promise itself.
"""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.promise import at_most, line
from flyball.home import Home
from flyball.instant import parse_instant

GOAL_SECONDS = 300.0
FULL_TENANTS, QUICK_TENANTS = 10_000, 2_000
WEEKS = 26
END = "2026-06-01T00:00:00Z"


def measure(quick: bool = True) -> list[dict[str, Any]]:
    """Run P8; seconds of each part, and of all three against five minutes (or their fifth)."""
    tenants = QUICK_TENANTS if quick else FULL_TENANTS
    allowance = GOAL_SECONDS * tenants / FULL_TENANTS
    with tempfile.TemporaryDirectory(prefix="flyball-p8-") as folder:
        home = _populated(Path(folder), tenants)
        seconds = _timed(home)
    size = f"{tenants:,} tenants x {WEEKS} weeks"
    parts = [
        {**at_most("P8", f"{name}, {size}", taken, allowance, "s", 1.0), "goal": None, "met": None}
        for name, taken in seconds.items()
    ]
    total = sum(seconds.values())
    return [*parts, at_most("P8", f"all three, {size}", total, allowance, "s", 1.0)]


def _populated(folder: Path, tenants: int) -> Home:
    history, home = folder / "history", folder / "home"
    _run(
        "simulation", "--out", str(history), "--tenants", str(tenants), "--weeks", str(WEEKS),
        "--end", END, "--quiet",
    )  # fmt: skip
    _run("commands", "--home", str(home), "import", str(history))
    return Home(home)


def _run(module: str, *arguments: str) -> None:
    environment = {**os.environ, "PYTHONSAFEPATH": "1"}
    subprocess.run(
        [sys.executable, "-m", module, *arguments],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
    )


def _timed(home: Home) -> dict[str, float]:
    """Seconds of dataset, risk models with gates and registry, and effects."""
    from commands.training_data import load_dataset
    from training.run import train

    began = time.perf_counter()
    dataset = load_dataset(home, parse_instant(END))
    spent = {"dataset": time.perf_counter() - began}
    steps: list[tuple[str, float]] = []
    train(dataset, home, notice=lambda step: steps.append((step, time.perf_counter())))
    steps.append(("end", time.perf_counter()))
    lasted = {step: after - start for (step, start), (_, after) in itertools.pairwise(steps)}
    effects = lasted.pop("estimating arm effects")
    return spent | {"risk models, gates and registry": sum(lasted.values()), "effects": effects}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="10,000 tenants")
    for row in measure(not parser.parse_args().full):
        print(line(row))


if __name__ == "__main__":
    main()
