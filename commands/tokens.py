"""``flyball token``: bearer tokens with roles; the text is shown once."""

from __future__ import annotations

import json

import click

from commands.moment import expiry, wall_clock_us
from commands.signing_off import author_option
from flyball.home import Home
from flyball.instant import format_instant
from ledger.people import Role, Token


@click.group()
def command() -> None:
    """Make, list and revoke bearer tokens for gateways and people."""


@command.command("create")
@click.option("--role", type=click.Choice([role.value for role in Role]), required=True)
@click.option("--name", required=True, help="Who or what will carry it.")
@click.option("--expires", metavar="WHEN", help="90d, 12w or RFC 3339.  [default: never]")
@author_option
@click.pass_obj
def create(home: Home, *, role: str, name: str, expires: str | None, author: str) -> None:
    """Make a token and print it, once, on standard output."""
    from ledger.sqlite_ledger import open_ledger

    now_us = wall_clock_us()
    expires_us = None if expires is None else expiry(expires, now_us)
    with open_ledger(home) as ledger:
        text, token = ledger.create_token(
            name, Role(role), author=author, now_us=now_us, expires_us=expires_us
        )
    click.echo(
        f"{token.token_id}: role {role}, {_until(token)}. Keep it now: it is shown only once.",
        err=True,
    )
    click.echo(text)


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def show(home: Home, *, as_json: bool) -> None:
    """List tokens; what they are is kept nowhere."""
    from ledger.sqlite_ledger import read_ledger

    now_us = wall_clock_us()
    with read_ledger(home) as ledger:
        tokens = ledger.tokens()
    if as_json:
        click.echo(json.dumps([_as_json(token, now_us) for token in tokens]))
        return
    if not tokens:
        click.echo("There are no tokens: the service answers on this machine only.")
    for token in tokens:
        click.echo(f"{token.token_id}  {token.role.value:<12}  {token.name}  {_until(token)}")


@command.command("revoke")
@click.argument("token_id")
@click.option("--reason", default="", help="Why; goes into the audit trail.")
@author_option
@click.pass_obj
def revoke(home: Home, *, token_id: str, reason: str, author: str) -> None:
    """Shut a token out, within a second, for good."""
    from ledger.sqlite_ledger import open_ledger, read_ledger

    read_ledger(home).close()
    with open_ledger(home) as ledger:
        ledger.revoke_token(token_id, author=author, now_us=wall_clock_us(), reason=reason)
    click.echo(f"{token_id}: revoked.")


def _until(token: Token) -> str:
    if token.revoked_us is not None:
        return f"revoked {format_instant(token.revoked_us)}"
    if token.expires_us is not None:
        return f"until {format_instant(token.expires_us)}"
    return "without end"


def _as_json(token: Token, now_us: int) -> dict[str, object]:
    return {
        "tokenId": token.token_id,
        "name": token.name,
        "role": token.role.value,
        "valid": token.valid_at(now_us),
        "createdAt": format_instant(token.created_us),
        "author": token.author,
        "expiresAt": None if token.expires_us is None else format_instant(token.expires_us),
        "revokedAt": None if token.revoked_us is None else format_instant(token.revoked_us),
    }
