"""What every picture shares: colours that colour-blind readers can tell apart, margins, panels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

#: Okabe and Ito (2008). The same thing has the same colour in every picture.
BLUE, ORANGE, GREEN, RED, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "0.55"
COLOUR = {"upgrade": BLUE, "downgrade": ORANGE, "churn": RED}

_DPI = 100


def panels(count: int, title: str, *, width: float = 4.4, height: float = 4.2) -> tuple[Any, Any]:
    """A figure with ``count`` panels in a row, and their axes; sizes in inches."""
    # The object interface leaves the caller's backend and open figures alone.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * count, height))
    FigureCanvasAgg(figure)
    figure.suptitle(title, x=0.02, y=0.985, ha="left", fontsize=12, fontweight="bold")
    axes = figure.subplots(1, count, squeeze=False)[0]
    for axis in axes:
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
        axis.tick_params(labelsize=9)
    return figure, axes


def save(figure: Any, path: Path, *, left: float = 0.0, gap: float = 0.32) -> Path:
    """Write ``figure`` and give its path; ``left`` inches are kept for long labels."""
    # Fixed margins: laying out by measuring text takes seconds.
    wide, high = figure.get_size_inches()
    figure.subplots_adjust(
        left=(left or 0.75) / wide,
        right=1.0 - 0.2 / wide,
        bottom=0.62 / high,
        top=1.0 - 0.85 / high,
        wspace=gap,
    )
    figure.savefig(path, dpi=_DPI)
    return path


def silent(path: Path, title: str, reason: str) -> Path:
    """A picture that says why there is none: better than one that is missing."""
    figure, axes = panels(1, title, width=7.0, height=2.2)
    axes[0].axis("off")
    axes[0].text(0.0, 0.5, f"Not applicable: {reason}.", fontsize=10, va="center", wrap=True)
    return save(figure, path)


def percent(axis: Any, which: str = "xy", digits: int | None = None) -> None:
    """Write the values of an axis (shares) as percentages."""
    from matplotlib.ticker import PercentFormatter

    for name in which:
        getattr(axis, f"{name}axis").set_major_formatter(PercentFormatter(1.0, decimals=digits))
