"""How the results of ``flyball simulate`` look in a terminal, and as a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from simulation.report.columns import COLUMNS, shown
from simulation.report.grid import Block
from simulation.report.page import page

#: Width when nobody looks: a log or a pipe should not cut figures off.
_PIPE_WIDTH = 170


def print_blocks(blocks: Sequence[Block]) -> None:
    """One table a family, worst family first."""
    console = Console()
    if not console.is_terminal:
        console.width = _PIPE_WIDTH
    for block in blocks:
        title = f"{block.family}, {block.tenants:,} tenants (percent of static's money)"
        table = Table(title=title, box=SIMPLE_HEAD, title_justify="left")
        table.add_column("policy", no_wrap=True)
        for _, head, _ in COLUMNS:
            table.add_column(head, justify="right")
        table.add_column("violations", justify="right")
        for line in block.lines:
            row = (shown(line, figure) for figure, _, _ in COLUMNS)
            table.add_row(line.policy, *row, str(line.violations))
        console.print(table)
        if block.trained:
            console.print(f"  {block.trained}.", highlight=False)


def write_report(blocks: Sequence[Block], settings: Mapping[str, object], judged: str) -> str:
    """The HTML page."""
    return page(blocks, settings, judged)
