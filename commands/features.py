"""``flyball features``: the catalogue of features, as a table or as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from features.catalogue import catalogue, feature_hash, group_titles
from flyball.errors import NotFound

#: Width when nobody looks: a log or a pipe should not cut names off.
_PIPE_WIDTH = 160


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(*, names: tuple[str, ...], as_json: bool) -> None:
    """List the features that models see: unit, window, when missing, meaning.

    With NAMEs only those. `flyball dataset` writes their values.
    """
    known = catalogue()
    chosen = [known.feature(name) for name in names] if names else list(known.features)
    if not chosen:
        raise NotFound("The catalogue is empty.", "Run: python -m features.compiler")
    if as_json:
        described = {
            "hash": feature_hash(),
            "features": [asdict(each) for each in chosen],
            "context": [] if names else [asdict(each) for each in known.context],
            "groups": group_titles(),
        }
        click.echo(json.dumps(described, ensure_ascii=False))
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if not console.is_terminal:
        console.width = _PIPE_WIDTH
    for group, title in group_titles().items():
        members = [each for each in chosen if each.group == group]
        if not members:
            continue
        table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
        for column in ("feature", "unit", "window", "missing when"):
            table.add_column(column, no_wrap=column == "feature")
        table.add_column("meaning", ratio=1)
        for each in members:
            cells = (each.name, each.unit, each.window, each.null, each.description)
            table.add_row(*(Text(cell) for cell in cells))
        console.print(table)
    console.print(f"{len(chosen)} features, contract hash {feature_hash()}", highlight=False)
