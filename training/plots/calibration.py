"""Predicted against observed, with what chance would do to the observed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from training.dataset import Floats
from training.evaluation import Judged, Quality, Report, bins
from training.plots.canvas import COLOUR, GREY, panels, percent, save


def draw_calibration(judged: Sequence[Judged], report: Report, path: Path) -> Path:
    """One panel an outcome: ten bins of equal size with 95 % intervals (Wilson 1927)."""
    title = "Calibration: is what is predicted what happens?"
    figure, axes = panels(len(judged), title)
    for axis, each in zip(axes, judged, strict=True):
        axis.set_title(_finding(each, report.overall[each.outcome]), loc="left", fontsize=10)
        axis.set_xlabel("predicted probability a period")
        axis.set_ylabel("observed share, 95 % interval")
        if len(each.happened):
            _points(axis, each)
    return save(figure, path)


def _finding(each: Judged, quality: Quality) -> str:
    head = f"{each.outcome}: {each.events:,} events in {quality.rows:,}"
    if quality.slope is None or quality.slope_error is None:
        return f"{head}\none prediction for all, nothing to compare"
    half = 1.96 * quality.slope_error
    low, high = quality.slope - half, quality.slope + half
    if low <= 1.0 <= high:
        words = "as steep as it should be"
    else:
        words = "too bold" if quality.slope < 1.0 else "too timid"
    return f"{head}\n{words}: slope {quality.slope:.2f} [{low:.2f}, {high:.2f}]"


def _points(axis: Any, each: Judged) -> None:
    predicted, observed, count = bins(each.probability, each.happened)
    low, high = wilson(observed, count)
    top = 1.05 * max(float(predicted.max()), float(high.max()), 1e-6)
    axis.plot([0, top], [0, top], color=GREY, linewidth=1, linestyle="--")
    axis.text(0.98 * top, 0.9 * top, "perfect", color=GREY, fontsize=8, ha="right", va="bottom")
    axis.errorbar(
        predicted,
        observed,
        yerr=np.stack([observed - low, high - observed]),
        color=COLOUR[each.outcome],
        marker="o",
        markersize=4,
        linewidth=1.2,
        elinewidth=1,
        capsize=2,
    )
    axis.set_xlim(0.0, top)
    axis.set_ylim(0.0, top)
    percent(axis)


def wilson(share: Floats, count: Floats, deviations: float = 1.96) -> tuple[Floats, Floats]:
    """Wilson's interval of a binomial share ``[k]`` out of ``count`` rows ``[k]`` (> 0)."""
    square = deviations**2 / count
    middle = (share + square / 2.0) / (1.0 + square)
    inside = share * (1.0 - share) / count + square / (4.0 * count)
    half = deviations * np.sqrt(inside) / (1.0 + square)
    return np.minimum(share, middle - half), np.maximum(share, middle + half)
