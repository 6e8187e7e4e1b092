"""What an import did, as a table for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from telemetry.usage_counts import RowCounts

_COLUMNS = ("read", "accepted", "duplicates", "conflicts", "pending")


def report_json(counts: Mapping[str, RowCounts], rejects: Path | None) -> dict[str, Any]:
    """The report as JSON: counts per file and in total, and where the rejects are."""
    total = RowCounts()
    for entry in counts.values():
        total.add(entry)
    return {
        "files": {name: _entry(entry) for name, entry in counts.items()},
        "total": _entry(total),
        "rejects": None if rejects is None else str(rejects),
    }


def print_report(counts: Mapping[str, RowCounts], rejects: Path | None, console: Console) -> None:
    """Print a table with one line a file, and what to do about rows that did not go in."""
    table = Table(title="Import", box=SIMPLE, padding=(0, 1, 0, 0))
    table.add_column("file", no_wrap=True)
    for name in _COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("rejected", overflow="fold")
    total = RowCounts()
    for name, entry in _merged(counts).items():
        total.add(entry)
        _add(table, name, entry)
    table.add_section()
    _add(table, "total", total)
    console.print(table)
    if total.pending:
        console.print(
            f"{total.pending:,} events of unknown tenants are kept pending;"
            " they count as soon as an account of that name is imported."
        )
    if rejects is not None:
        console.print(f"Rows that did not go in, with line and reason: {rejects}", soft_wrap=True)


def _merged(counts: Mapping[str, RowCounts]) -> dict[str, RowCounts]:
    """Files like ``usage-2026-01-05.parquet`` of one table in one line where there are many."""
    usage = [name for name in counts if name.startswith("usage")]
    if len(usage) <= 8:
        return dict(counts)
    merged = {name: entry for name, entry in counts.items() if name not in usage}
    together = RowCounts()
    for name in usage:
        entry = counts[name]
        if entry.rejected or entry.conflicts or entry.pending:
            merged[name] = entry
        else:
            together.add(entry)
    clean = sum(name not in merged for name in usage)
    if clean:
        merged[f"usage ({clean} files)"] = together
    return merged


def _add(table: Table, name: str, entry: RowCounts) -> None:
    rejected = ", ".join(f"{count:,} {code}" for code, count in entry.rejected.most_common())
    numbers = [f"{getattr(entry, column):,}" for column in _COLUMNS]
    table.add_row(name, *numbers, rejected or "0")


def _entry(counts: RowCounts) -> dict[str, Any]:
    return {
        **{name: getattr(counts, name) for name in _COLUMNS},
        "rejected": dict(sorted(counts.rejected.items())),
    }
