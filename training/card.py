"""The model card that travels in the bundle: what it is, what it saw, how good it was."""

from __future__ import annotations

from collections.abc import Sequence

from flyball.instant import format_instant
from training.dataset import Dataset
from training.effects import ArmEffects
from training.evaluation import Report
from training.gate import GateTable
from training.risk import RiskModel


def write_card(
    version: str,
    dataset: Dataset,
    models: Sequence[RiskModel],
    effects: ArmEffects,
    report: Report,
    gates: GateTable,
) -> str:
    """Markdown for people; everything in it is also in the manifest."""
    source = "live decisions" if dataset.kind == "decisions" else "weeks of history at m = 1"
    lines = [
        f"# Flyball bundle {version}",
        "",
        f"Learned from {len(dataset):,} {source} known by {format_instant(dataset.as_of_us)}.",
        "Hazards are probabilities of the first outcome within a period of "
        f"{dataset.period_days} days, at m = 1.",
        "",
        "| outcome | model | test rows | events | AUC | log-loss | base rate's | slope |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for model in models:
        name = model.fitted.outcome
        quality = report.overall[name]
        kind = model.fitted.kind + (f" ({model.fitted.reason})" if model.fitted.reason else "")
        lines.append(
            f"| {name} | {kind} | {quality.rows:,} | {quality.events:,} | {_number(quality.auc)} | "
            f"{quality.log_loss:.5f} | {quality.log_loss_base:.5f} | {_number(quality.slope)} |"
        )
    lines += ["", f"Arm effects: {effects.summary}.", "", f"Gates: {gates.status}.", ""]
    lines += [f"- {gate.sentence()}" for gate in gates.gates]
    lines += [
        "",
        "Prediction factors are associated with an outcome; only arm effects are causal.",
        "",
    ]
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
