"""How many events lie among the tenants ranked highest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from training.evaluation import Judged, Report, gain
from training.plots.canvas import COLOUR, GREY, panels, percent, save


def draw_gain(judged: Sequence[Judged], report: Report, path: Path) -> Path:
    """One panel an outcome: cumulative gain of the ranking by risk."""
    figure, axes = panels(len(judged), "Gain: how well does risk rank tenants?")
    for axis, each in zip(axes, judged, strict=True):
        found = report.overall[each.outcome]
        words = "no ranking: one prediction for all"
        if found.top_decile is not None and found.auc is not None:
            words = f"the top tenth holds {found.top_decile:.0%} of events, AUC {found.auc:.2f}"
        axis.set_title(f"{each.outcome}: {each.events:,} events\n{words}", loc="left", fontsize=10)
        axis.set_xlabel("share of tenants, riskiest first")
        axis.set_ylabel("share of events among them")
        if len(each.happened):
            _curve(axis, each)
    return save(figure, path)


def _curve(axis: Any, each: Judged) -> None:
    taken, caught = gain(each.probability, each.happened)
    step = max(1, len(taken) // 500)
    axis.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--")
    axis.text(0.97, 0.9, "chance", color=GREY, fontsize=8, ha="right")
    axis.plot(taken[::step], caught[::step], color=COLOUR[each.outcome], linewidth=1.6)
    axis.set_xlim(0.0, 1.0)
    axis.set_ylim(0.0, 1.02)
    percent(axis, digits=0)
