"""``flyball rollback``: go back to the champion before this one."""

from __future__ import annotations

import click

from commands.moment import wall_clock_us
from commands.signing_off import author_option
from flyball.home import Home


@click.command()
@click.option("--reason", default="", help="Why; goes into the audit trail.")
@author_option
@click.pass_obj
def command(home: Home, *, reason: str, author: str) -> None:
    """Make the previous champion champion again; a second rollback undoes the first."""
    from features.catalogue import feature_hash
    from ledger.sqlite_ledger import open_ledger
    from training.registry import Registry
    from training.tracking import store_of

    now, before = Registry(store_of(home)).rollback(feature_hash())
    with open_ledger(home) as ledger:
        ledger.append_audit(
            now_us=wall_clock_us(),
            author=author,
            action="model.rollback",
            target=now.bundle,
            reason=reason,
            before=before.bundle,
            after=now.bundle,
        )
    click.echo(f"Version {now.version} ({now.bundle}) is champion again, not {before.version}.")
    click.echo("A running `flyball serve` takes it up; or run `flyball publish`.", err=True)
