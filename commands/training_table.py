"""How a training's result looks: metrics, effects and gates, as tables or as JSON."""

from __future__ import annotations

import json

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from flyball.instant import format_instant
from training.dataset import Dataset
from training.effects import TRUST_NONE, ArmEffects
from training.gate import GateTable, Verdict
from training.outcome_model import OUTCOMES
from training.run import TrainingResult

_STYLE = {Verdict.PASSED: "green", Verdict.FAILED: "bold red"}

#: Width when nobody looks: a log or a pipe should not cut names off.
_PIPE_WIDTH = 140


def print_result(dataset: Dataset, result: TrainingResult) -> None:
    """Print everything that a person wants to see before trusting a version."""
    console = Console()
    if not console.is_terminal:
        console.width = _PIPE_WIDTH
    dropped = ", ".join(f"{count:,} {why}" for why, count in sorted(dataset.dropped.items()))
    console.print(
        f"version {result.version} ({result.bundle_version}): {len(dataset):,} {dataset.kind} "
        f"until {format_instant(dataset.as_of_us)}" + (f"; left out: {dropped}" if dropped else ""),
        highlight=False,
    )
    console.print(_metrics(result))
    console.print(f"effects: {result.effects.summary}", highlight=False)
    if result.effects.present:
        console.print(_effects(result.effects))
    console.print(_gates(result.gates))


def _metrics(result: TrainingResult) -> Table:
    table = Table(
        title="Risk models on organisations and weeks they have not seen", box=SIMPLE_HEAD
    )
    for name in ("outcome", "model", "rows", "events", "AUC", "log-loss", "base rate's", "slope"):
        table.add_column(name, justify="left" if name in {"outcome", "model"} else "right")
    for model in result.models:
        fitted, quality = model.fitted, result.report.overall[model.fitted.outcome]
        table.add_row(
            fitted.outcome,
            fitted.kind + (f": {fitted.reason}" if fitted.reason else ""),
            f"{quality.rows:,}",
            f"{quality.events:,}",
            _number(quality.auc),
            f"{quality.log_loss:.5f}",
            f"{quality.log_loss_base:.5f}",
            _number(quality.slope),
        )
    return table


def _effects(effects: ArmEffects) -> Table:
    table = Table(
        title="Arm effects against 100, percentage points a period (± SD)", box=SIMPLE_HEAD
    )
    for name in ("segment", "arm", *OUTCOMES):
        table.add_column(name, justify="left" if name == "segment" else "right")
    for row, segment in enumerate((*effects.segments, "any other")):
        for column, arm in enumerate(effects.arms):
            if effects.trust[row, column] == TRUST_NONE:
                continue
            mean, sd = 100.0 * effects.mean[row, column], 100.0 * effects.sd[row, column]
            cells = (f"{mean[k]:+.2f} ± {sd[k]:.2f}" for k in range(len(OUTCOMES)))
            table.add_row(segment or "none", str(arm), *cells)
    return table


def _gates(gates: GateTable) -> Table:
    """Gates that spoke, one a row; the others by reason, because a young install has many."""
    table = Table(title=f"Gates: {gates.status}", box=SIMPLE_HEAD)
    for name in ("gate", "verdict", "figure", "threshold", "what had to hold"):
        right = name in {"figure", "threshold"}
        table.add_column(
            name, justify="right" if right else "left", no_wrap=name != "what had to hold"
        )
    silent: dict[str, list[str]] = {}
    for gate in gates.gates:
        if gate.verdict is Verdict.NOT_APPLICABLE:
            silent.setdefault(gate.reason, []).append(gate.name)
            continue
        table.add_row(
            Text(gate.name),
            Text(gate.verdict.value, style=_STYLE[gate.verdict]),
            _number(gate.figure, 4),
            _number(gate.threshold, 4),
            Text(gate.rule),
        )
    for reason, names in silent.items():
        what = names[0] if len(names) == 1 else f"{len(names)} gates"
        table.add_row(Text(what), Text("not applicable", style="dim"), "-", "-", Text(reason))
    return table


def _number(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}g}"


def result_json(
    dataset: Dataset, result: TrainingResult, comparison: list[dict[str, object]] | None = None
) -> str:
    """The result on one line, for programs; ``comparison`` of estimators if one was made."""
    champion = result.champion
    compared = {} if comparison is None else {"comparison": comparison}
    return json.dumps(
        compared
        | {
            "version": result.version,
            "bundle": result.bundle_version,
            "asOf": format_instant(dataset.as_of_us),
            "rows": len(dataset),
            "units": dataset.kind,
            "dropped": dict(dataset.dropped),
            "events": dataset.events(),
            "models": {model.fitted.outcome: model.fitted.kind for model in result.models},
            "effects": result.effects.summary,
            "evaluation": result.report.plain()["overall"],
            "gates": {"status": result.gates.status, "table": result.gates.plain()},
            "promoted": result.promoted,
            "champion": champion.version if champion else None,
        }
    )
