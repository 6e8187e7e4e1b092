"""``flyball shadow``: a challenger beside the champion on live traffic, and how they compare."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from commands.moment import wall_clock_us
from flyball.errors import NotFound, Refused
from flyball.home import Home
from flyball.instant import parse_instant

if TYPE_CHECKING:
    from serving.shadow.comparison import Comparison

_WAIT_S = 0.5


@click.command()
@click.option(
    "--bundle",
    "directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Try this signed bundle instead of the registry's challenger.",
)
@click.option("--report", is_flag=True, help="Only print the comparison; change nothing.")
@click.option("--stop", is_flag=True, help="Take the challenger away; what was logged stays.")
@click.option("--since", metavar="TIME", help="Count periods from then on, RFC 3339.")
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(0.0, 3600.0),
    default=0.0,
    show_default=True,
    help="Seconds to wait for the running service to log the first comparison.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(
    home: Home,
    *,
    directory: Path | None,
    report: bool,
    stop: bool,
    since: str | None,
    wait_s: float,
    as_json: bool,
) -> None:
    """Score with the challenger beside the champion, and compare what both say.

    The running service (`flyball serve`) asks the challenger about every decision that it makes,
    after that is published: no decision is altered. Without options the registry's challenger is
    put in place, if none is, and what was logged so far is compared.
    """
    from models.current import read_current, unpublish

    since_us = 0 if since is None else parse_instant(since)
    if stop:
        gone = unpublish(home.challenger)
        click.echo("The challenger was taken away." if gone else "There was no challenger.")
        return
    if directory is not None or (not report and read_current(home.challenger) is None):
        _place(home, directory)
    pointer = read_current(home.challenger)
    compared = _compared(home, "" if pointer is None else pointer.version, since_us, wait_s)
    if as_json:
        click.echo(json.dumps(compared.plain()))
    else:
        from commands.shadow_table import print_comparison

        print_comparison(compared)


def _place(home: Home, directory: Path | None) -> None:
    from features.catalogue import feature_hash

    if directory is None:
        from training.challenger import place_challenger

        pointer = place_challenger(home, feature_hash())
    else:
        from models.bundle import open_bundle
        from models.current import publish
        from models.signature import load_public_key

        key = load_public_key(home.verify_key)
        _refuse_withdrawn(home, open_bundle(directory, key, probe=False).version)
        pointer = publish(
            directory,
            home.challenger,
            key,
            published_us=wall_clock_us(),
            rollback=True,
            feature_hash=feature_hash(),
        )
    click.echo(f"{pointer.version} is tried as challenger.", err=True)


def _refuse_withdrawn(home: Home, version: str) -> None:
    from ledger.sqlite_ledger import read_ledger
    from serving.shadow.challenger import WITHDRAWN

    if not home.ledger.exists():
        return
    with read_ledger(home) as ledger:
        if any(entry.action == WITHDRAWN for entry in ledger.audit(target=version)):
            raise Refused(f"{version} was withdrawn because it did harm.", "Train another one.")


def _compared(home: Home, version: str, since_us: int, wait_s: float) -> Comparison:
    from ledger.sqlite_ledger import read_ledger
    from serving.shadow.comparison import compare

    until = time.monotonic() + wait_s
    with read_ledger(home) as ledger:
        if not version:
            # The trial has ended; the last one can still be read.
            version = next(iter(ledger.shadow_challengers()), "")
        if not version:
            raise NotFound("No challenger was ever tried.", "Start one with `flyball shadow`.")
        while True:
            rows = ledger.shadow_decisions(version, now_us=wall_clock_us(), since_us=since_us)
            if rows or time.monotonic() >= until:
                return compare(rows, version, ledger.shadow_cost(version, since_us=since_us))
            time.sleep(_WAIT_S)
