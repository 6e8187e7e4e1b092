"""``flyball models``: what is in the registry."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from flyball.home import Home
from flyball.instant import format_instant

if TYPE_CHECKING:
    from training.registry import RegisteredVersion


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(ctx: click.Context, *, as_json: bool) -> None:
    """List versions with their aliases and gates, newest first."""
    if ctx.invoked_subcommand is None:
        _list(ctx.obj, as_json=as_json)


@command.command("card")
@click.argument("version", type=int, required=False)
@click.pass_obj
def card(home: Home, *, version: int | None) -> None:
    """Print the model card of VERSION.  [default: the champion, else the newest]"""
    from flyball.errors import NotFound
    from models.bundle import open_bundle
    from models.signature import load_public_key
    from training.registry import CHAMPION, Registry
    from training.tracking import store_of

    registry = Registry(store_of(home))
    versions = registry.versions()
    if version is None:
        holder = next((each for each in versions if CHAMPION in each.aliases), None)
        chosen = holder or (versions[0] if versions else None)
        if chosen is None:
            raise NotFound("There are no models yet.", "Run `flyball train`.")
        version = chosen.version
    registry.version(version)
    with registry.bundle(version) as directory:
        bundle = open_bundle(directory, load_public_key(home.verify_key), probe=False)
    click.echo(bundle.card, nl=False)


def _list(home: Home, *, as_json: bool) -> None:
    from training.registry import Registry
    from training.tracking import store_of

    store = store_of(home)
    versions = Registry(store).versions()
    if as_json:
        click.echo(json.dumps([_plain(each) for each in versions]))
        return
    if not versions:
        click.echo("There are no models yet. Run `flyball train`.")
        return
    _print(versions)
    if store.artefacts is not None:  # a server's address may hold a password
        click.echo(f"MLflow's pages: mlflow ui --backend-store-uri {store.uri}", err=True)


def _print(versions: list[RegisteredVersion]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD)
    for name in ("version", "alias", "gates", "bundle", "registered", "features", "failed"):
        table.add_column(name, no_wrap=name != "failed")
    for each in versions:
        table.add_row(
            str(each.version),
            Text(", ".join(each.aliases), style="bold"),
            each.gates or "never judged",
            Text(each.bundle),
            format_instant(each.created_us // 1_000_000 * 1_000_000),
            each.feature_hash,
            Text(", ".join(each.failed_gates)),
        )
    console = Console()
    if not console.is_terminal:  # a pipe should not cut names off
        console.width = 160
    console.print(table)


def _plain(each: RegisteredVersion) -> dict[str, object]:
    return {
        "version": each.version,
        "aliases": list(each.aliases),
        "gates": each.gates,
        "failedGates": each.failed_gates,
        "bundle": each.bundle,
        "featureHash": each.feature_hash,
        "registeredAt": format_instant(each.created_us),
        "runId": each.run_id,
    }
