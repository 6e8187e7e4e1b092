"""Effect estimators side by side, as a table or as JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from training.comparison_log import comparison_row
from training.dataset import Dataset
from training.estimators.comparison import TENANT_WORTH, Row, compare_estimators
from training.estimators.estimator import lacking
from training.estimators.table import table_of
from training.off_policy.overlap import Refused
from training.outcome_model import OUTCOMES

_PIPE_WIDTH = 160


def compared(
    dataset: Dataset, seed: int, notice: Callable[[str], None] = lambda _: None
) -> tuple[Row, ...]:
    """Every estimator's row; none where there is too little evidence to judge any."""
    table = table_of(dataset, tuple(sorted(set(dataset.text("segment")))))
    if lacking(table):
        return ()
    return compare_estimators(table, np.asarray(TENANT_WORTH), seed=seed, notice=notice)


def print_comparison(rows: Sequence[Row]) -> None:
    """Print the table, or that there is none."""
    console = Console()
    if not console.is_terminal:
        console.width = _PIPE_WIDTH
    if not rows:
        console.print("effect estimators: insufficient evidence to compare any")
        return
    table = Table(
        title="Effect estimators on organisations they have not seen: squared error saved against "
        "no effect, per million rows (± standard error), and DR value of the policy",
        box=SIMPLE_HEAD,
    )
    for name in ("estimator", *OUTCOMES, "moved", "value above static", "seconds"):
        table.add_column(name, justify="left" if name == "estimator" else "right")
    for row in rows:
        saved = (f"{1e6 * each.mean:+,.1f} ± {1e6 * each.error:,.1f}" for each in row.gain)
        table.add_row(row.name, *saved, f"{row.moved:.0%}", _value(row), f"{row.seconds:.1f}")
    console.print(table)
    upgrade, downgrade, churn = TENANT_WORTH
    console.print(
        f"value: an upgrade counts {upgrade:+g}, a downgrade {downgrade:+g}, a churn {churn:+g} of "
        "a tenant's revenue, every tenant alike, per 1,000 decisions",
        highlight=False,
    )


def _value(row: Row) -> str:
    if isinstance(row.value, Refused):
        return row.value.reason
    low, high = 1000.0 * row.value.low, 1000.0 * row.value.high
    return f"{1000.0 * row.value.value:+.2f} [{low:+.2f}, {high:+.2f}]"


def comparison_json(rows: Sequence[Row]) -> list[dict[str, object]]:
    """JSON-ready rows."""
    return [comparison_row(row) for row in rows]
