"""Pictures for the registry: calibration and cumulative gain, drawn without a display."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from training.evaluation import Judged, bins, gain


def draw_plots(judged: Sequence[Judged], directory: Path) -> list[Path]:
    """Write ``calibration.png`` and ``gain.png`` into ``directory``; one panel an outcome."""
    return [
        _panels(judged, directory / "calibration.png", _calibration),
        _panels(judged, directory / "gain.png", _gain),
    ]


def _panels(judged: Sequence[Judged], path: Path, draw: Any) -> Path:
    # The object interface leaves the caller's backend and open figures alone.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.0 * len(judged), 3.6))
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(judged), squeeze=False)[0]
    for axis, each in zip(axes, judged, strict=True):
        axis.set_title(f"{each.outcome}: {each.events} events")
        if len(each.happened):
            draw(axis, each)
    # Fixed margins: laying out by measuring text takes seconds.
    figure.subplots_adjust(left=0.06, right=0.99, bottom=0.15, top=0.9, wspace=0.25)
    figure.savefig(path, dpi=80)
    return path


def _calibration(axis: Any, each: Judged) -> None:
    predicted, observed, _ = bins(each.probability, each.happened)
    top = 1.05 * max(float(predicted.max()), float(observed.max()), 1e-6)
    axis.plot([0, top], [0, top], color="0.7", linewidth=1)
    axis.plot(predicted, observed, marker="o", markersize=4)
    axis.set_xlabel("predicted, a period")
    axis.set_ylabel("observed")


def _gain(axis: Any, each: Judged) -> None:
    taken, caught = gain(each.probability, each.happened)
    step = max(1, len(taken) // 500)
    axis.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    axis.plot(taken[::step], caught[::step])
    axis.set_xlabel("share of tenants, highest first")
    axis.set_ylabel("share of events")
