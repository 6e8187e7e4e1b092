"""``flyball effects``: what arms did, from any table of logged draws."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("table", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--spec",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="TOML that says what the columns mean (docs/reference/effects-spec.md).",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory for report.md and report.html.  [default: print the report]",
)
@click.option("--seed", type=int, default=7, show_default=True, help="Seed of folds and redraws.")
def command(table: Path, *, spec: Path, out: Path | None, seed: int) -> None:
    """Analyse TABLE (.csv or .parquet): arm effects, overlap, trust and the value of policies.

    One row per draw, with its arm, its propensities and what became of it. It runs the same
    estimators as `flyball train`, and needs no home.
    """
    from training.analysis.analysis import analyse
    from training.analysis.plain_table import read_table
    from training.analysis.report import markdown, page
    from training.analysis.spec import read_spec

    meaning = read_spec(spec)
    plain = read_table(table, meaning)
    analysis = analyse(plain, seed=seed, notice=lambda step: click.echo(f"  {step}", err=True))
    title = meaning.title or f"Effects: {table.name}"
    if out is None:
        click.echo(markdown(analysis, title))
        return
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.md").write_text(markdown(analysis, title), encoding="utf-8")
    (out / "report.html").write_text(page(analysis, title), encoding="utf-8")
    click.echo(analysis.verdict)
    click.echo(f"Written to {out / 'report.html'} and {out / 'report.md'}.", err=True)
