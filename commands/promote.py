"""``flyball promote``: make a version champion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from commands.moment import wall_clock_us
from commands.signing_off import author_option
from flyball.errors import NotFound
from flyball.home import Home

if TYPE_CHECKING:
    from training.registry import Registry


@click.command()
@click.argument("version", type=int, required=False)
@author_option
@click.pass_obj
def command(home: Home, *, version: int | None, author: str) -> None:
    """Make VERSION champion (default: the newest whose gates passed).

    Refused (exit 3) if its gates have not passed or its features are not those computed here.
    """
    from features.catalogue import feature_hash
    from ledger.sqlite_ledger import open_ledger
    from training.registry import CHAMPION, Registry
    from training.tracking import store_of

    registry = Registry(store_of(home))
    chosen = version if version is not None else _newest_passed(registry)
    before = registry.holder(CHAMPION)
    champion = registry.promote(chosen, feature_hash())
    with open_ledger(home) as ledger:
        ledger.append_audit(
            now_us=wall_clock_us(),
            author=author,
            action="model.promote",
            target=champion.bundle,
            before=before.bundle if before else "",
            after=champion.bundle,
        )
    click.echo(f"Version {champion.version} ({champion.bundle}) is champion.")
    click.echo("A running `flyball serve` takes it up; or run `flyball publish`.", err=True)


def _newest_passed(registry: Registry) -> int:
    for each in registry.versions():
        if each.gates == "passed":
            return each.version
    raise NotFound("No version has passed its gates.", "Run `flyball train`; see `flyball models`.")
