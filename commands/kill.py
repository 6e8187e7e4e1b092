"""``flyball kill``: every arm to 1, now, whatever else is broken."""

from __future__ import annotations

import json

import click

from commands.moment import wall_clock_us
from commands.signing_off import author_option, reason_option
from flyball.errors import FlyballError
from flyball.home import Home
from flyball.instant import format_instant
from ledger.kill import engage_kill, kill_state, release_kill


@click.group()
def command() -> None:
    """Turn the kill switch on or off: while it is on, every multiplier is 1."""


@command.command("on")
@reason_option
@author_option
@click.pass_obj
def on(home: Home, *, reason: str, author: str) -> None:
    """Set every arm to 1; takes effect within a second, also with the ledger down."""
    now_us = wall_clock_us()
    if not engage_kill(home, author=author, reason=reason, now_us=now_us):
        click.echo("The kill switch is on already.")
        return
    click.echo("The kill switch is on: every multiplier is 1.")
    _log(home, engaged=True, author=author, reason=reason, now_us=now_us)


@command.command("off")
@reason_option
@author_option
@click.pass_obj
def off(home: Home, *, reason: str, author: str) -> None:
    """Let decisions count again."""
    now_us = wall_clock_us()
    if not release_kill(home, author=author, reason=reason, now_us=now_us):
        click.echo("The kill switch is off already.")
        return
    click.echo("The kill switch is off: decisions count again.")
    _log(home, engaged=False, author=author, reason=reason, now_us=now_us)


@command.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def status(home: Home, *, as_json: bool) -> None:
    """Say whether it is on, and who turned it on."""
    found = kill_state(home)
    since = None if found is None or found.since_us is None else format_instant(found.since_us)
    if as_json:
        said = {} if found is None else {"author": found.author, "reason": found.reason}
        since_part = {} if found is None else {"since": since}
        click.echo(json.dumps({"on": found is not None, **said, **since_part}))
    elif found is None:
        click.echo("The kill switch is off.")
    else:
        who = f" by {found.author}: {found.reason}" if found.author else ""
        click.echo(f"The kill switch is on since {since or 'an unknown time'}{who}")


def _log(home: Home, *, engaged: bool, author: str, reason: str, now_us: int) -> None:
    """Write the audit row if there is a ledger; the switch has moved either way."""
    from ledger.sqlite_ledger import SqliteLedger

    if not home.ledger.exists():
        return
    try:
        with SqliteLedger(home.ledger, busy_timeout_ms=2_000) as ledger:
            ledger.record_kill(engaged=engaged, author=author, reason=reason, now_us=now_us)
    except FlyballError as error:
        click.echo(f"flyball: the move is not in the audit trail: {error}", err=True)
