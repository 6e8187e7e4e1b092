"""The model card that travels in the bundle: what it is, what it saw, how good it was, its limits.

The hand-written part, what each model is for and where not to use it, is ``docs/models/``.
"""

from __future__ import annotations

from collections.abc import Sequence

from flyball.arm import NEUTRAL
from flyball.instant import HOUR_US, format_instant
from models.outlook import TRUST_LEVELS
from training.dataset import Dataset
from training.effects import ArmEffects
from training.evaluation import Report
from training.gate import GateTable, Verdict
from training.outcome_model import OUTCOMES
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
    lines = [
        f"# Flyball bundle {version}",
        "",
        *_data(dataset),
        "",
        "## Risk",
        "",
        "Hazards are probabilities of the first outcome within a period of "
        f"{dataset.period_days} days, at m = 1; figures are of organisations and weeks that taught "
        "nothing.",
        "",
        *_risk(models, report),
        "",
        "## Arm effects",
        "",
        f"Level of trust: **{trust_level(effects)}**. {effects.summary[:1].upper()}"
        f"{effects.summary[1:]}.",
        "",
        *_effects(effects),
        "## Gates",
        "",
        f"Gates: {gates.status}.",
        "",
        *(f"- {gate.sentence()}" for gate in gates.gates),
        "",
        "## Limits",
        "",
        *(f"- {limit}" for limit in _limits(dataset, models, effects, gates)),
        "",
    ]
    return "\n".join(lines)


def trust_level(effects: ArmEffects) -> str:
    """The most personal level of trust of any arm: none, pooled, segment or personal."""
    return TRUST_LEVELS[int(effects.trust.max())].value


def trust_by_segment(effects: ArmEffects) -> dict[str, dict[str, str]]:
    """Segment (the last, ``other``, is any that training did not see) to arm to level of trust."""
    return {
        segment: {
            str(arm): TRUST_LEVELS[int(effects.trust[row, column])].value
            for column, arm in enumerate(effects.arms)
            if arm != NEUTRAL
        }
        for row, segment in enumerate((*effects.segments, "other"))
    }


def _data(dataset: Dataset) -> list[str]:
    source = "live decisions" if dataset.kind == "decisions" else "weeks of history at m = 1"
    hours = dataset.start_hours()
    first, last = (format_instant(int(hour) * HOUR_US) for hour in (hours.min(), hours.max()))
    lines = [
        f"Learned from {len(dataset):,} {source} that began from {first} to {last}, as known by "
        f"{format_instant(dataset.as_of_us)}: "
        + ", ".join(f"{count:,} {name}" for name, count in dataset.events().items())
        + ".",
    ]
    if dataset.dropped:
        left = ", ".join(f"{count:,} {why}" for why, count in sorted(dataset.dropped.items()))
        lines += ["", f"Left out: {left}."]
    return lines


def _risk(models: Sequence[RiskModel], report: Report) -> list[str]:
    lines = [
        "| outcome | model | test rows | events | AUC | log-loss | base rate's | slope | gap |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for model in models:
        name = model.fitted.outcome
        quality = report.overall[name]
        kind = model.fitted.kind + (f" ({model.fitted.reason})" if model.fitted.reason else "")
        slope = _number(quality.slope)
        if quality.slope is not None and quality.slope_error is not None:
            slope += f" ± {1.96 * quality.slope_error:.2f}"
        lines.append(
            f"| {name} | {kind} | {quality.rows:,} | {quality.events:,} | {_number(quality.auc)} | "
            f"{quality.log_loss:.5f} | {quality.log_loss_base:.5f} | {slope} | "
            f"{_number(quality.ece, 5)} |"
        )
    return lines


def _effects(effects: ArmEffects) -> list[str]:
    """Means with 95 % intervals in percentage points a period, where there is any trust."""
    if not effects.present:
        return []
    lines = [
        "Change a period against m = 1 in percentage points, with 95 % intervals; average tenant.",
        "",
        f"| segment | m | trust | {' | '.join(OUTCOMES)} |",
        "|---|---|---|" + "---|" * len(OUTCOMES),
    ]
    for row, segment in enumerate((*effects.segments, "other")):
        for column, arm in enumerate(effects.arms):
            if arm == NEUTRAL or not effects.trust[row, column]:
                continue
            mean, half = 100.0 * effects.mean[row, column], 196.0 * effects.sd[row, column]
            cells = " | ".join(f"{mean[k]:+.2f} ± {half[k]:.2f}" for k in range(len(OUTCOMES)))
            level = TRUST_LEVELS[int(effects.trust[row, column])].value
            lines.append(f"| {segment or 'none'} | {arm / 100:.2f} | {level} | {cells} |")
    return [*lines, ""]


def _limits(
    dataset: Dataset, models: Sequence[RiskModel], effects: ArmEffects, gates: GateTable
) -> list[str]:
    told = [
        "Prediction factors are associated with an outcome; only arm effects are causal.",
        "Risks and effects hold for tenants, plans and arms like those it learned from, one "
        "period ahead; longer horizons chain them.",
    ]
    without = [model.fitted.outcome for model in models if model.fitted.kind == "none"]
    if without:
        told.append(f"No model for {' and '.join(without)}: the base rate stands for everybody.")
    if not effects.present:
        told.append("No arm has an effect that may be used: the policy stays at m = 1.")
    elif int(effects.trust.max()) < len(TRUST_LEVELS) - 1:
        told.append(
            f"Effects are {trust_level(effects)}: tenants differ only by their dose"
            + (" and segment or plan" if trust_level(effects) == "segment" else "")
            + ", never say that one tenant would react otherwise."
        )
    if dataset.kind != "decisions":
        told.append("Nothing was drawn at random, so nothing is known of what arms cause.")
    mute = sum(gate.verdict is Verdict.NOT_APPLICABLE for gate in gates.gates)
    if mute:
        told.append(f"{mute} of {len(gates.gates)} gates could not speak; that is not passing.")
    return told


def _number(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
