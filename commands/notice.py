"""``flyball notice``: what people must be told, and saying that it is dealt with."""

from __future__ import annotations

import json

import click

from commands.moment import wall_clock_us
from commands.signing_off import author_option, reason_option
from flyball.home import Home
from flyball.instant import format_instant
from ledger.notice import Notice


@click.group(invoke_without_command=True)
@click.option("--all", "everything", is_flag=True, help="Those that were ended too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(context: click.Context, *, everything: bool, as_json: bool) -> None:
    """List open notices, newest first."""
    if context.invoked_subcommand is not None:
        return
    from ledger.sqlite_ledger import read_ledger
    from serving.webhooks.notices import notice_json

    home: Home = context.obj
    with read_ledger(home) as ledger:
        found = ledger.notices(open_only=not everything)
    if as_json:
        click.echo(json.dumps([notice_json(notice) for notice in found]))
        return
    if not found:
        click.echo("There is no notice." if everything else "There is no open notice.")
    for notice in found:
        click.echo(line(notice))


@command.command("end")
@click.argument("notice_id", type=click.IntRange(1), metavar="ID")
@reason_option
@author_option
@click.pass_obj
def end(home: Home, *, notice_id: int, reason: str, author: str) -> None:
    """Say that a notice is dealt with; it then leaves status, health and console."""
    from ledger.sqlite_ledger import open_ledger

    with open_ledger(home) as ledger:
        ended = ledger.end_notice(notice_id, author=author, reason=reason, now_us=wall_clock_us())
    click.echo(f"Notice {ended.notice_id} is ended.")


def line(notice: Notice) -> str:
    """One notice as one line."""
    ended = (
        ""
        if notice.ended_us is None
        else f" (ended {format_instant(notice.ended_us)} by {notice.ended_by}: {notice.end_reason})"
    )
    return (
        f"{notice.notice_id}  {notice.severity.value}  {format_instant(notice.at_us)}  "
        f"{notice.message}{ended}"
    )
