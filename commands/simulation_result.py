"""How the results of ``flyball simulate`` look in a terminal, and as a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from commands.simulated_service import ServiceRun
from simulation.report.columns import CONDUCT, MONEY, shown
from simulation.report.criteria import criteria
from simulation.report.grid import Block
from simulation.report.page import page

#: Width when nobody looks: a log or a pipe should not cut figures off.
_PIPE_WIDTH = 180


def _console() -> Console:
    console = Console()
    if not console.is_terminal:
        console.width = _PIPE_WIDTH
    return console


def print_blocks(blocks: Sequence[Block]) -> None:
    """Two tables a family, worst family first: what was earned, and what was done to tenants."""
    console = _console()
    for block in blocks:
        held = ", held out of tuning" if block.held_out else ""
        where = f"{block.family}, {block.tenants:,} tenants{held}"
        console.print(_table(block, MONEY, f"{where}: earned (percent of static's money)"))
        console.print(_table(block, CONDUCT, f"{where}: done to tenants", violations=True))
        if block.trained:
            console.print(f"  {block.trained}.", highlight=False)


def _table(
    block: Block, columns: Sequence[tuple[str, str, str]], title: str, *, violations: bool = False
) -> Table:
    table = Table(title=title, box=SIMPLE_HEAD, title_justify="left")
    table.add_column("policy", no_wrap=True)
    for _, head, _ in columns:
        table.add_column(head, justify="right")
    if violations:
        table.add_column("violations", justify="right")
    for line in block.lines:
        row = [shown(line, figure) for figure, _, _ in columns]
        table.add_row(line.policy, *row, *([str(line.violations)] if violations else []))
    return table


def print_criteria(
    blocks: Sequence[Block], judged: str, gaming_percent: float | None = None
) -> None:
    """What the policy must show, and whether it did."""
    console = _console()
    table = Table(title=f"What {judged} must show", box=SIMPLE_HEAD, title_justify="left")
    for head in ("criterion", "where", "demand", "found", "verdict"):
        table.add_column(head)
    for each in criteria(blocks, judged, gaming_percent):
        table.add_row(each.name, each.where, each.demand, each.found, each.verdict)
    console.print(table)


def print_games(games: Sequence[Mapping[str, Any]]) -> None:
    """What each strategy of tenants that game the product earned, best first."""
    console = _console()
    for game in games:
        title = f"gaming {game['policy'].removeprefix('gaming-')} in {game['family']}, "
        title += f"{game['tenants']:,} tenants, seed {game['seed']}: "
        title += f"{game['figures']['players']} play, gain in percent of quota"
        table = Table(title=title, box=SIMPLE_HEAD, title_justify="left")
        table.add_column("strategy")
        table.add_column("gain", justify="right")
        for each in game["figures"]["strategies"]:
            table.add_row(each["strategy"], f"{each['gain_percent']:+.2f}")
        console.print(table)


def print_service(found: ServiceRun) -> None:
    """What a run over HTTP showed, week by week."""
    console = _console()
    table = Table(title="Over HTTP, with flyball serve", box=SIMPLE_HEAD, title_justify="left")
    heads = ("week", "tenants", "fresh", "friction", "overdraft", "violations", "decided after")
    for head in (*heads, "events posted"):
        table.add_column(head, justify="right")
    for each in found.weeks:
        numbers = (each.tenants, each.fresh, each.friction, each.overdraft, each.violations)
        shown = (*map(str, numbers), f"{each.waited_s:.1f} s", f"{each.posted:,}")
        table.add_row(each.start[:10], *shown)
    console.print(table)
    receipts, times = found.receipts, sorted(found.lookup_s)
    console.print(
        f"  {found.posted:,} events posted: {receipts.accepted:,} accepted, "
        f"{receipts.duplicate:,} duplicate, {receipts.pending:,} pending, "
        f"{receipts.rejected:,} rejected {receipts.reasons or ''}".rstrip()
        + ".",
        highlight=False,
    )
    if times:
        console.print(
            f"  {len(times):,} single lookups, median {1e3 * times[len(times) // 2]:.2f} ms.",
            highlight=False,
        )


def write_report(
    blocks: Sequence[Block],
    settings: Mapping[str, object],
    judged: str,
    games: Sequence[Mapping[str, Any]] = (),
) -> str:
    """The HTML page."""
    return page(blocks, settings, judged, games)
