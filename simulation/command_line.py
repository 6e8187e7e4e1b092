"""The simulator's own command line."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from simulation.calendar_week import hour_of, instant
from simulation.history import write_history
from simulation.response import FAMILIES
from simulation.world import Setup

DEFAULT_END = "2026-06-01T00:00:00Z"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m simulation", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="import directory to write")
    parser.add_argument("--tenants", type=int, default=2_000)
    parser.add_argument("--weeks", type=int, default=26)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--family", choices=sorted(FAMILIES), default="smooth")
    parser.add_argument("--end", default=DEFAULT_END, help="RFC 3339 or 'now'; default %(default)s")
    parser.add_argument("--world", type=Path, help="where truth and state go; default OUT.world")
    parser.add_argument("--quiet", action="store_true")
    return parser


def _say(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


def main(argv: list[str]) -> int:
    """Run one command line; returns the exit code."""
    asked = _parser().parse_args(argv)
    began = time.perf_counter()
    setup = Setup(tenants=asked.tenants, weeks=asked.weeks, seed=asked.seed, family=asked.family)
    end = hour_of(asked.end)

    def progress(done: int, total: int) -> None:
        if not asked.quiet:
            _say(f"\rsimulated week {done} of {total}")

    world, _, truth = write_history(asked.out, setup, end, progress)
    beside = asked.world or asked.out.with_name(asked.out.name + ".world")
    truth.write(beside)
    if not asked.quiet:
        _say(
            f"\n{world.population.arrived(end)} tenants until {instant(end)} in {asked.out} "
            f"({time.perf_counter() - began:.1f} s); truth in {beside}\n"
        )
    return 0
