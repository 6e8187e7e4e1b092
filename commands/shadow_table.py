"""The comparison of champion and challenger as a table for people."""

from __future__ import annotations

from collections.abc import Iterator

import click

from serving.shadow.comparison import (
    LEAST_EVENTS,
    LEAST_ORGANISATIONS,
    Comparison,
    Mean,
)

_VALUES = {
    "championByItself": "champion's arms, by the champion",
    "challengersArmsByChampion": "challenger's arms, by the champion",
    "differenceByChampion": "difference, by the champion",
    "championsArmsByChallenger": "champion's arms, by the challenger",
    "challengerByItself": "challenger's arms, by the challenger",
    "differenceByChallenger": "difference, by the challenger",
}


def print_comparison(found: Comparison) -> None:
    """Print it; figures whose interval is missing say so once, at the end."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    champions = ", ".join(each or "none (static)" for each in found.champions) or "-"
    click.echo(
        f"challenger {found.challenger} beside champion {champions}: {found.decisions:,} "
        f"decisions of {found.organisations:,} organisations, {found.matured:,} of them over"
    )
    if not found.decisions:
        click.echo(
            "Insufficient evidence: nothing was logged yet. Is `flyball serve` running? "
            "The first decisions are compared within seconds."
        )
        return
    table = Table(box=None, pad_edge=False)
    for name in ("", "champion", "challenger", "difference (95 %)"):
        table.add_column(name, justify="left" if not name else "right")
    for row in _rows(found):
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)
    cost = found.cost
    if cost.tenants:
        click.echo(
            f"cost: {cost.duration_ms / cost.tenants:.3f} ms a decision, of which the challenger's "
            f"graphs {cost.scoring_ms / cost.tenants:.3f} ms; after publishing, once a decision"
        )
    if not found.sufficient:
        click.echo(
            f"Insufficient evidence for intervals: {LEAST_ORGANISATIONS} organisations are needed."
        )


def _rows(found: Comparison) -> Iterator[tuple[str, str, str, str]]:
    if found.agreement is not None:
        yield "the same arm", "", "", _interval(found.agreement, share=True, sign=False)
    for name, (ours, theirs, mean) in found.shares.items():
        yield f"share under {name}", f"{ours:.1%}", f"{theirs:.1%}", _interval(mean, share=True)
    for each in found.probabilities:
        yield (
            f"P({each.outcome}) a period",
            f"{each.champion:.3%}",
            f"{each.challenger:.3%}",
            _interval(each.difference, share=True),
        )
        low, middle, high = (f"{value:+.3%}" for value in each.quantiles)
        yield "  5 %, median, 95 %", "", "", f"{low}, {middle}, {high}"
    for name, words in _VALUES.items():
        if name in found.values:
            yield f"predicted: {words}", "", "", _interval(found.values[name])
    for matured in found.calibration:
        yield (
            f"{matured.outcome}: {matured.events:,} in {matured.periods:,} periods, said - seen",
            f"{matured.champion.value:+.3%}",
            f"{matured.challenger.value:+.3%}",
            "",
        )
        verdict = (
            _interval(matured.log_loss, digits=5)
            if matured.sufficient
            else f"insufficient evidence ({LEAST_EVENTS} events needed)"
        )
        yield "  log-loss", "", "", verdict


def _interval(mean: Mean, *, share: bool = False, sign: bool = True, digits: int = 2) -> str:
    def shown(value: float) -> str:
        plus = "+" if sign else ""
        return f"{value:{plus}.3%}" if share else f"{value:{plus},.{digits}f}"

    if mean.low is None or mean.high is None:
        return f"{shown(mean.value)} (no interval)"
    return f"{shown(mean.value)} ({shown(mean.low)} to {shown(mean.high)})"
