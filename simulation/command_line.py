"""The simulator's own command line.

python -m simulation --out DIR                     write a history (and DIR.world beside it)
python -m simulation step --world W --out DIR      live one week under a file of decisions
python -m simulation live --world W --out DIR      live on with the product, week by week
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from simulation import saved
from simulation.calendar_week import hour_of, instant
from simulation.history import write_history
from simulation.living import live, live_week
from simulation.product import CommandLine, Product, ProductFailed, Service, read_decisions
from simulation.responses.families import FAMILIES
from simulation.week import Setup

DEFAULT_END = "2026-06-01T00:00:00Z"


def _say(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


def _parser(name: str) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog=f"python -m simulation {name}".strip(),
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _history(argv: list[str]) -> int:
    parser = _parser("")
    parser.add_argument("--out", type=Path, required=True, help="import directory to write")
    parser.add_argument("--tenants", type=int, default=2_000, help="arrived by the end")
    parser.add_argument("--weeks", type=int, default=26, help="whole weeks of history")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--family", choices=sorted(FAMILIES), default="smooth")
    parser.add_argument("--end", default=DEFAULT_END, help="RFC 3339 or now; default %(default)s")
    parser.add_argument("--series", default="", help="folder of real series to shape demand by")
    parser.add_argument("--world", type=Path, help="state and truth; default: OUT.world")
    parser.add_argument("--quiet", action="store_true")
    asked = parser.parse_args(argv)
    if asked.tenants < 1 or asked.weeks < 1:
        parser.error("--tenants and --weeks must be at least 1")
    try:
        end = hour_of(asked.end)
    except ValueError as error:
        parser.error(str(error))
    beside = asked.world or asked.out.with_name(asked.out.name + ".world")
    if asked.out.resolve() in (beside.resolve(), *beside.resolve().parents):
        parser.error("--world must lie outside --out: the product must not see the truth")
    began = time.perf_counter()

    def progress(done: int, total: int) -> None:
        if not asked.quiet and (sys.stderr.isatty() or done == total):
            _say(f"\rsimulated week {done} of {total}")

    setup = Setup(
        tenants=asked.tenants,
        weeks=asked.weeks,
        seed=asked.seed,
        family=asked.family,
        series=asked.series,
    )
    history = write_history(asked.out, setup, end, progress)
    history.truth.write(beside)
    saved.save(beside, history.world, history.exporter)
    if not asked.quiet:
        tenants = history.world.population.arrived(end)
        _say(
            f"\n{tenants} tenants until {instant(end)} in {asked.out} "
            f"({time.perf_counter() - began:.1f} s); state and truth in {beside}\n"
        )
    return 0


def _step(argv: list[str]) -> int:
    parser = _parser("step")
    parser.add_argument("--world", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="import directory to write")
    parser.add_argument("--decisions", type=Path, help="NDJSON, JSON or Parquet; none: explore")
    asked = parser.parse_args(argv)
    world, exporter = saved.load(asked.world)
    arms = read_decisions(asked.decisions) if asked.decisions else None
    summary = live_week(world, exporter, asked.out, arms)
    saved.save(asked.world, world, exporter)
    sys.stdout.write(json.dumps(asdict(summary)) + "\n")
    return 0


def _live(argv: list[str]) -> int:
    parser = _parser("live")
    parser.add_argument("--world", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder of import directories")
    parser.add_argument("--weeks", type=int, default=1)
    parser.add_argument("--command", default="flyball", help="the product; default %(default)s")
    parser.add_argument("--home", type=Path, required=True, help="the product's home")
    parser.add_argument("--policy", help="policy to decide with; default: the home's")
    parser.add_argument("--url", help="take decisions from a running service instead")
    parser.add_argument("--token", default="", help="bearer token for --url")
    asked = parser.parse_args(argv)
    world, exporter = saved.load(asked.world)
    options = ("--policy", asked.policy) if asked.policy else ()
    command = (*asked.command.split(), "--home", str(asked.home))
    batch = CommandLine(command, asked.out / "decisions", options)
    product: Product = Service(asked.url, batch.take_in, asked.token) if asked.url else batch
    for summary in live(world, exporter, product, asked.out, asked.weeks):
        # After each week: an interrupted life goes on where it stopped.
        saved.save(asked.world, world, exporter)
        sys.stdout.write(json.dumps(asdict(summary)) + "\n")
        sys.stdout.flush()
    return 0


_COMMANDS: dict[str, Callable[[list[str]], int]] = {"step": _step, "live": _live}


def main(argv: list[str]) -> int:
    """Run one command line; returns the exit code."""
    command = _COMMANDS.get(argv[0] if argv else "")
    try:
        return command(argv[1:]) if command else _history(argv)
    except (ProductFailed, OSError, ValueError) as error:
        _say(f"simulation: {error}\n")
        return 1
    except KeyboardInterrupt:
        _say("simulation: interrupted.\n")
        return 130
