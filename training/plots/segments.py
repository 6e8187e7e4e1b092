"""Segment by segment: predictions against outcomes, arm effects, and the policy's harm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from flyball.arm import NEUTRAL
from models.outlook import TRUST_LEVELS
from training.effects import ArmEffects
from training.evaluation import Quality, Report
from training.off_policy.value import Estimate
from training.outcome_model import OUTCOMES
from training.plots.calibration import wilson
from training.plots.canvas import COLOUR, GREEN, GREY, RED, panels, percent, save
from training.policy_gates import HARM

TITLE = "Segments: does it hold everywhere?"


def draw_segments(
    report: Report,
    effects: ArmEffects,
    harm: Mapping[str, Estimate],
    harm_cap: float,
    why_not: str,
    path: Path,
) -> Path:
    """Three panels with a line a segment: calibration, effects of the tightest arm, added churn."""
    names = sorted({*effects.segments, *report.groups.get("segment", {})}) or ["none"]
    figure, axes = panels(3, TITLE, width=5.0, height=2.2 + 0.55 * len(names))
    _calibration(axes[0], names, report.groups.get("segment", {}))
    _effects(axes[1], names, effects)
    _harm(axes[2], names, harm, harm_cap, why_not)
    for axis in axes:
        axis.set_yticks(range(len(names)), names if axis is axes[0] else [""] * len(names))
        axis.set_ylim(len(names) - 0.5, -0.5)
    return save(figure, path, left=1.2, gap=0.14)


def _calibration(
    axis: Any, names: Sequence[str], groups: Mapping[str, Mapping[str, Quality]]
) -> None:
    off = []
    for at, name in enumerate(names):
        for index, outcome in enumerate(OUTCOMES):
            found = groups.get(name, {}).get(outcome)
            if found is None or found.predicted <= 0.0:
                continue
            low, high = wilson(np.asarray([found.observed]), np.asarray([float(found.rows)]))
            ends = [float(end[0]) / found.predicted for end in (low, high)]
            if not ends[0] <= 1.0 <= ends[1]:
                off.append(f"{name} {outcome}")
            place = at + 0.22 * (index - 1)
            colour = COLOUR[outcome]
            axis.plot(ends, [place, place], color=colour, linewidth=1.6)
            ratio = found.observed / found.predicted
            axis.plot([ratio], [place], marker="o", markersize=4, color=colour, label=outcome)
    words = f"off: {', '.join(off[:3])}" if off else "every interval holds 1"
    axis.set_title(f"observed ÷ predicted\n{words}", loc="left", fontsize=10)
    axis.axvline(1.0, color=GREY, linewidth=1, linestyle="--")
    axis.set_xlabel("ratio, 95 % interval")
    once = dict(zip(*axis.get_legend_handles_labels()[::-1], strict=True))
    if once:
        axis.legend(once.values(), once.keys(), frameon=False, fontsize=8, loc="best")


def _effects(axis: Any, names: Sequence[str], effects: ArmEffects) -> None:
    able = [
        at
        for at, arm in enumerate(effects.arms)
        if arm != NEUTRAL and bool((effects.trust[:, at] > 0).any())
    ]
    axis.axvline(0.0, color=GREY, linewidth=1, linestyle="--")
    axis.set_xlabel("change of probability a period, 95 % interval")
    if not able:
        axis.set_title("arm effects\nnone that may be used (trust: none)", loc="left", fontsize=10)
        return
    arm = able[0]
    rows = {name: at for at, name in enumerate(effects.segments)}
    for at, name in enumerate(names):
        row = rows.get(name, len(effects.segments))
        for index, outcome in enumerate(OUTCOMES):
            mean, half = effects.mean[row, arm, index], 1.96 * effects.sd[row, arm, index]
            place = at + 0.22 * (index - 1)
            axis.plot([mean - half, mean + half], [place, place], color=COLOUR[outcome], lw=1.6)
            axis.plot([mean], [place], marker="o", markersize=4, color=COLOUR[outcome])
        level = TRUST_LEVELS[int(effects.trust[row, arm])].value
        axis.text(
            0.99, at + 0.42, f"trust: {level}", transform=axis.get_yaxis_transform(), fontsize=8,
            ha="right", color="0.35",
        )  # fmt: skip
    axis.set_title(
        f"what m = {effects.arms[arm] / 100:.2f} changes\naverage tenant of each segment",
        loc="left",
        fontsize=10,
    )
    percent(axis, "x")


def _harm(
    axis: Any, names: Sequence[str], harm: Mapping[str, Estimate], cap: float, why_not: str
) -> None:
    axis.set_xlabel("added churn a period, one-sided bounds")
    if not harm:
        axis.axis("off")
        words = why_not or "cannot tell: too little overlap, or the policy is m = 1"
        axis.set_title(f"churn that the policy adds\n{words}"[:110], loc="left", fontsize=10)
        return
    worse = []
    for at, name in enumerate(names):
        found = harm.get(f"{HARM}.{name}") or (harm.get(HARM) if len(names) == 1 else None)
        if found is None:
            axis.text(0.0, at, " cannot tell", fontsize=8, va="center", color="0.35")
            continue
        bad = found.floor > cap
        if bad:
            worse.append(name)
        colour = RED if bad else GREEN if found.ceiling <= cap else "0.3"
        axis.plot([found.floor, found.ceiling], [at, at], color=colour, linewidth=2)
        axis.plot([found.value], [at], marker="o", color=colour, markersize=5)
    axis.axvline(cap, color=RED, linewidth=1, linestyle="--")
    axis.text(cap, -0.45, " cap", color=RED, fontsize=8, va="top")
    words = f"above the cap: {', '.join(worse)}" if worse else "nowhere surely above the cap"
    axis.set_title(f"churn that the policy adds\n{words}", loc="left", fontsize=10)
    percent(axis, "x")
