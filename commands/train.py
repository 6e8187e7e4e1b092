"""``flyball train``: from what is known to a registered, gated, perhaps promoted version."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from commands.moment import as_of_moment
from flyball.errors import Refused
from flyball.home import Home
from flyball.instant import HOUR_US

if TYPE_CHECKING:
    from training.run import TrainingResult

Notice = Callable[[str], None]


@click.command()
@click.option(
    "--as-of",
    metavar="TIME",
    help="Learn only from what was known then, RFC 3339.  [default: this hour]",
)
@click.option("--seed", type=int, default=7, show_default=True, help="Seed of the fits.")
@click.option(
    "--promote/--no-promote",
    default=True,
    show_default=True,
    help="Make it champion if every gate passes.",
)
@click.option(
    "--compare",
    is_flag=True,
    help="Also fit the other effect estimators and table them on organisations none has seen.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.pass_obj
def command(
    home: Home, *, as_of: str | None, seed: int, promote: bool, compare: bool, as_json: bool
) -> int:
    """Train, judge and register a version of the models.

    Ends with 3 if a gate fails: the champion is then what it was. The very first training may end
    without a champion; decisions stay static.
    """
    from commands.comparison_table import compared, comparison_json, print_comparison
    from commands.training_data import load_dataset, load_gates, load_stakes
    from commands.training_table import print_result, result_json
    from training.comparison_log import log_comparison
    from training.run import train
    from training.tracking import store_of

    as_of_us = as_of_moment(as_of) // HOUR_US * HOUR_US
    limits = load_gates(home)
    with progress() as notice:
        dataset = load_dataset(home, as_of_us, notice)
        stakes = load_stakes(home, as_of_us)
        result = train(
            dataset,
            home,
            seed=seed,
            promote=promote,
            settings=limits,
            stakes=stakes,
            notice=notice,
        )
        rows = compared(dataset, seed, notice) if compare else ()
        if compare:
            log_comparison(store_of(home), result.run_id, rows)
    if as_json:
        click.echo(result_json(dataset, result, comparison_json(rows) if compare else None))
    else:
        print_result(dataset, result)
        if compare:
            print_comparison(rows)
    return verdict(result, promote=promote)


def verdict(result: TrainingResult, *, promote: bool) -> int:
    """Exit code; says what became of the version."""
    if result.promoted:
        click.echo(f"Version {result.version} is champion.", err=True)
        return 0
    failed = result.gates.failed
    kept = (
        f"version {result.champion.version} stays champion"
        if result.champion
        else "there is no champion; decisions stay static"
    )
    if result.gates.passed:
        click.echo(f"Version {result.version} passed its gates; {kept}.", err=True)
        return 0
    for gate in failed:
        click.echo(f"! {gate.sentence()}", err=True)
    why = "failed its gates" if failed else "could not be judged: too little evidence"
    click.echo(f"Version {result.version} {why}; {kept}.", err=True)
    # A new install has to start somewhere; and waiting for evidence is not a failure.
    if result.champion is None and (result.first or not failed):
        return 0
    return Refused.exit_code


@contextmanager
def progress() -> Iterator[Notice]:
    """One line a step on standard error with the seconds it took, and a spinner on terminals."""
    from rich.console import Console

    console = Console(stderr=True)
    begun = last = time.monotonic()
    with console.status("starting") as status:
        step = ""

        def notice(text: str) -> None:
            nonlocal step, last
            now = time.monotonic()
            if step:
                console.print(f"  {step} [dim]{now - last:.1f} s[/dim]", highlight=False)
            step, last = text, now
            status.update(text)

        yield notice
        notice("")
    console.print(f"  done in {time.monotonic() - begun:.1f} s", highlight=False)
