"""Overlap: how much of the log bears on each arm, and on the policy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from training.estimators.overlap import ArmOverlap
from training.off_policy.overlap import Overlap, OverlapRule
from training.plots.canvas import BLUE, GREEN, GREY, RED, panels, save, silent

TITLE = "Overlap: how much of the log bears on each arm and on the policy?"


def draw_overlap(
    arms: Sequence[ArmOverlap], policy: Overlap | None, why_not: str, path: Path
) -> Path:
    """Left: drawn and effective rows an arm. Right: the policy's overlap against what is needed."""
    if not any(each.drawn for each in arms):
        return silent(path, TITLE, "no arm was drawn with logged probabilities")
    figure, axes = panels(2, TITLE, width=6.4)
    _arms(axes[0], arms)
    if policy is None:
        axes[1].axis("off")
        words = why_not or "it stays at m = 1 on the rows that judge"
        axes[1].set_title(
            f"the policy\nnot applicable: {words}", loc="left", fontsize=10, wrap=True
        )
    else:
        _policy(axes[1], policy)
    return save(figure, path, left=0.9, gap=0.62)


def _arms(axis: Any, arms: Sequence[ArmOverlap]) -> None:
    rare = [each for each in arms if each.drawn]
    least = min(rare, key=lambda each: each.least)
    axis.set_title(
        f"{sum(each.drawn for each in arms):,} drawn decisions\n"
        f"no arm that was offered had less than {least.least:.1%} chance",
        loc="left",
        fontsize=10,
    )
    places = range(len(arms))
    axis.barh(places, [each.drawn for each in arms], height=0.7, color="0.85", label="rows drawn")
    effective = [each.effective for each in arms]
    axis.barh(places, effective, height=0.35, color=BLUE, label="effective rows")
    for at, each in enumerate(arms):
        axis.text(0.0, at, f" offered {each.offered:.0%}", fontsize=8, va="center", color="white")
    axis.set_yticks(places, [f"m = {int(each.arm) / 100:.2f}" for each in arms])
    axis.set_ylim(len(arms) - 0.4, -0.6)
    axis.set_xlabel("decisions")
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axis.set_xlim(0.0, 1.4 * max(each.drawn for each in arms))
    axis.legend(frameon=False, fontsize=8, loc="center right")


def _policy(axis: Any, found: Overlap) -> None:
    ratios = margins(found, OverlapRule())
    weakest = min(ratios, key=lambda name: ratios[name])
    good = ratios[weakest] >= 1.0
    words = "enough overlap to judge it" if good else "too little overlap: it is not judged"
    axis.set_title(
        f"the policy against m = 1: {words}\n"
        f"weakest: {weakest}, {ratios[weakest]:.2g} times the need",
        loc="left",
        fontsize=10,
    )
    shown = [min(max(ratio, 0.05), 1000.0) for ratio in ratios.values()]
    colours = [GREEN if ratio >= 1.0 else RED for ratio in ratios.values()]
    axis.barh(range(len(shown)), shown, height=0.55, color=colours)
    axis.axvline(1.0, color=GREY, linewidth=1, linestyle="--")
    axis.set_xscale("log")
    axis.set_xlim(0.05, 1500.0)
    axis.set_yticks(range(len(shown)), list(ratios), fontsize=8)
    axis.set_ylim(len(shown) - 0.4, -0.6)
    axis.set_xlabel("times what is needed (dashed: just enough)")


def margins(found: Overlap, rule: OverlapRule) -> dict[str, float]:
    """How often over each demand of ``rule`` is met; below 1 it is not."""
    return {
        "effective rows": found.effective_rows / rule.min_effective_rows,
        "effective events": found.effective_events / rule.min_effective_events,
        "events after heavy weights": found.tail_events / rule.min_tail_events,
        "effective organisations": (
            found.effective_organisations / rule.min_effective_organisations
        ),
        "largest row's weight": rule.max_row_share / max(found.largest_row, 1e-12),
        "largest organisation's weight": (
            rule.max_organisation_share / max(found.largest_organisation, 1e-12)
        ),
    }
