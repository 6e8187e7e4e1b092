"""The comparison of effect estimators in MLflow: table, figures and a tag on the training's run."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence

from training.estimators.comparison import Row
from training.off_policy.overlap import Refused
from training.outcome_model import OUTCOMES
from training.registry import tag_name
from training.tracking import Store, tracking


def log_comparison(store: Store, run_id: str, rows: Sequence[Row]) -> None:
    """Add ``rows`` to the run ``run_id``; without rows only the tag that there is no evidence.

    The tag ``compared`` names the estimators, best policy value first.
    """
    from mlflow.entities import Metric

    with tracking(store) as client:
        ranked = sorted(rows, key=_value, reverse=True)
        named = ", ".join(row.name for row in ranked) or "insufficient evidence"
        client.set_tag(run_id, "compared", named)
        if not rows:
            return
        now = int(time.time() * 1000)
        figures = {name: value for row in rows for name, value in _figures(row).items()}
        metrics = [Metric(tag_name(name), value, now, 0) for name, value in figures.items()]
        client.log_batch(run_id, metrics=metrics)
        client.log_text(run_id, comparison_page(ranked), "report/comparison.md")
        plain = json.dumps([comparison_row(row) for row in rows], indent=1)
        client.log_text(run_id, plain + "\n", "report/comparison.json")


def comparison_row(row: Row) -> dict[str, object]:
    """JSON-ready."""
    return {
        "estimator": row.name,
        "summary": row.summary,
        "gain": {
            outcome: {"mean": each.mean, "error": each.error}
            for outcome, each in zip(OUTCOMES, row.gain, strict=True)
        },
        "moved": row.moved,
        "value": {"refused": row.value.reason}
        if isinstance(row.value, Refused)
        else row.value.figures(),
        "seconds": row.seconds,
    }


def comparison_page(rows: Sequence[Row]) -> str:
    """The table as Markdown, in the order of ``rows``."""
    lines = [
        "# Effect estimators on organisations that none has seen",
        "",
        "Squared error saved against no effect, per million decisions (± standard error), and the "
        "doubly robust value of each one's policy above m = 1 per 1,000 decisions, in a tenant's "
        "revenue, every tenant alike.",
        "",
        f"| estimator | {' | '.join(OUTCOMES)} | moved | value above m = 1 | seconds |",
        "|---|" + "---|" * (len(OUTCOMES) + 3),
    ]
    for row in rows:
        saved = " | ".join(f"{1e6 * g.mean:+,.1f} ± {1e6 * g.error:,.1f}" for g in row.gain)
        lines.append(
            f"| {row.name} | {saved} | {row.moved:.0%} | {_words(row)} | {row.seconds:.1f} |"
        )
    lines += ["", *(f"- {row.name}: {row.summary}" for row in rows)]
    return "\n".join(lines) + "\n"


def _value(row: Row) -> float:
    return -math.inf if isinstance(row.value, Refused) else row.value.value


def _words(row: Row) -> str:
    if isinstance(row.value, Refused):
        return row.value.reason.replace("|", "/")
    value, low, high = (1000.0 * each for each in (row.value.value, row.value.low, row.value.high))
    return f"{value:+.2f} [{low:+.2f}, {high:+.2f}]"


def _figures(row: Row) -> Mapping[str, float]:
    name = f"compare.{row.name.replace(' ', '_')}"
    flat = {f"{name}.moved": row.moved, f"{name}.seconds": row.seconds}
    for outcome, each in zip(OUTCOMES, row.gain, strict=True):
        flat |= {f"{name}.{outcome}.gain": each.mean, f"{name}.{outcome}.gain_error": each.error}
    if not isinstance(row.value, Refused):
        flat |= {f"{name}.value": row.value.value, f"{name}.value_low": row.value.low}
        flat |= {f"{name}.value_high": row.value.high}
    return {key: value for key, value in flat.items() if math.isfinite(value)}
