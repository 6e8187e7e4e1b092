"""``flyball override``: a person's say in one tenant's arm."""

from __future__ import annotations

import json

import click

from commands.moment import expiry, moment
from commands.signing_off import at_option, author_option, reason_option
from flyball.arm import NEUTRAL
from flyball.errors import InvalidInput, NotFound
from flyball.home import Home
from flyball.instant import format_instant
from flyball.override import Override, OverrideKind

#: What one types, and what it means.
KINDS = {
    "force": OverrideKind.FORCE_NEUTRAL,
    "exempt": OverrideKind.EXEMPT,
    "freeze": OverrideKind.FREEZE,
    "choose": OverrideKind.CHOOSE,
}


class TenantOrCommand(click.Group):
    """``override TENANT ...`` means ``override set TENANT ...``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put ``set`` before a first word that names no subcommand."""
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            args = ["set", *args]
        return super().parse_args(ctx, args)


@click.group(cls=TenantOrCommand)
def command() -> None:
    """Override a tenant's arm: flyball override TENANT --kind exempt --reason WHY --expires 7d.

    \b
    force   arm 1, neither friction nor overdraft
    exempt  no friction: arm 1 or above
    freeze  keep the arm in force
    choose  an arm among those that the guardrails offer (--arm 0.85)
    """


@command.command("set")
@click.argument("tenant")
@click.option("--kind", type=click.Choice(list(KINDS)), required=True)
@click.option("--arm", help="Multiplier such as 0.85; for --kind choose.")
@click.option("--expires", required=True, metavar="WHEN", help="12h, 7d, 2w or RFC 3339.")
@reason_option
@author_option
@at_option
@click.pass_obj
def put(
    home: Home,
    *,
    tenant: str,
    kind: str,
    arm: str | None,
    expires: str,
    reason: str,
    author: str,
    at: str | None,
) -> None:
    """Override TENANT (its id or an alias) until --expires."""
    from ledger.sqlite_ledger import open_ledger, read_ledger

    now_us = moment(at)
    expires_us = expiry(expires, now_us)
    chosen = None if arm is None else _on_grid(home, arm)
    read_ledger(home).close()
    with open_ledger(home) as ledger:
        tenant_id = ledger.resolve(tenant)
        if tenant_id is None:
            raise NotFound(
                f"There is no tenant {tenant[:128]!r}.", "Import or PUT its account first."
            )
        override = ledger.add_override(
            tenant_id,
            KINDS[kind],
            author=author,
            reason=reason,
            now_us=now_us,
            expires_us=expires_us,
            arm=chosen,
        )
    until = format_instant(override.expires_us)
    click.echo(f"{override.override_id}: {_what(override)} for {tenant_id} until {until}.")


@command.command("list")
@click.option("--all", "everything", is_flag=True, help="Also those that have ended.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@at_option
@click.pass_obj
def show(home: Home, *, everything: bool, as_json: bool, at: str | None) -> None:
    """List overrides in force."""
    from ledger.sqlite_ledger import read_ledger

    with read_ledger(home) as ledger:
        found = ledger.overrides(active_at_us=None if everything else moment(at))
    if as_json:
        click.echo(json.dumps([_as_json(override) for override in found]))
        return
    if not found:
        click.echo("No override is in force." if not everything else "There are no overrides.")
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("id", "tenant", "what", "until", "author", "reason")
    for override in found:
        ends_us = override.expires_us if override.ended_us is None else override.ended_us
        table.add_row(
            override.override_id,
            override.tenant_id,
            _what(override),
            format_instant(ends_us) + (" (ended)" if override.ended_us is not None else ""),
            _plain(override.author),
            _plain(override.reason),
        )
    Console().print(table)


@command.command("end")
@click.argument("override_id")
@click.option("--reason", default="", help="Why; goes into the audit trail.")
@author_option
@at_option
@click.pass_obj
def end(home: Home, *, override_id: str, reason: str, author: str, at: str | None) -> None:
    """End an override before it expires."""
    from ledger.sqlite_ledger import open_ledger, read_ledger

    read_ledger(home).close()
    with open_ledger(home) as ledger:
        ended = ledger.end_override(override_id, author=author, now_us=moment(at), reason=reason)
    click.echo(f"{ended.override_id}: ended for {ended.tenant_id}.")


def _on_grid(home: Home, text: str) -> int:
    from ledger.fields import arm_hundredths
    from serving.settings import load_settings

    arm = arm_hundredths(text, "arm")
    arms = load_settings(home.settings).decisions.grid.arms
    if arm not in arms:
        raise InvalidInput(
            f"arm {text[:16]} is not on the grid.",
            f"Choose one of {', '.join(f'{a / NEUTRAL:.2f}' for a in arms)}.",
            field="arm",
            code="bad_arm",
        )
    return arm


def _what(override: Override) -> str:
    word = next(word for word, kind in KINDS.items() if kind is override.kind)
    return word if override.arm is None else f"{word} {override.arm / NEUTRAL:.2f}"


def _plain(text: str) -> str:
    # Square brackets are markup to rich.
    return text.replace("[", "\\[")


def _as_json(override: Override) -> dict[str, object]:
    ended_us = override.ended_us
    return {
        "overrideId": override.override_id,
        "tenantId": override.tenant_id,
        "kind": override.kind.value,
        "multiplier": None if override.arm is None else override.arm / NEUTRAL,
        "author": override.author,
        "reason": override.reason,
        "createdAt": format_instant(override.created_us),
        "expiresAt": format_instant(override.expires_us),
        "endedAt": None if ended_us is None else format_instant(ended_us),
    }
