"""Charts as SVG, drawn on the server: shapes only, coloured by the style sheet's classes.

A chart is a picture beside a table that says the same (``parts.html``: ``figure``), so it is hidden
from screen readers. Coordinates are numbers made here; every text is escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

Values = Sequence[float | None]
#: Width of what is drawn for narrow windows, about one of their pixels a unit.
NARROW = 340


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart: its name, its values (None: a gap) and its style, 1 to 4."""

    name: str
    values: Values
    style: int = 1


@dataclass(frozen=True, slots=True)
class Mark:
    """A vertical mark at a position of the x axis (index, may be broken) with a short label."""

    at: float
    label: str


def sparkline(values: Values, *, width: int = 96, height: int = 24) -> Markup:
    """A small line with its last point marked; empty where fewer than two values are known."""
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return Markup("")
    scale = _Scale(values, width, height, pad=3.0, floor=min(known))
    last = max(at for at, value in enumerate(values) if value is not None)
    x, y = scale.x(last), scale.y(known[-1])
    return Markup(  # noqa: S704  # numbers only
        f'<svg class="spark" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'aria-hidden="true" focusable="false">{_paths(values, scale, "spark-line")}'
        f'<circle class="spark-end" cx="{x:.1f}" cy="{y:.1f}" r="2.4"/></svg>'
    )


def line_chart(
    lines: Sequence[Line],
    labels: Sequence[str],
    *,
    marks: Sequence[Mark] = (),
    bars: Values = (),
    width: int = 720,
    height: int = 220,
    top: float | None = None,
) -> Markup:
    """Lines over labelled positions, with bars behind and marks; the y axis starts at 0.

    Drawn twice, for wide and for narrow windows: the style sheet shows the one that fits.

    Parameters
    ----------
    labels:
        One for each position; as many of them are shown as fit.
    top:
        Upper end of the y axis; None: what the values need.
    """
    return Markup("").join(
        _lines(lines, labels, marks=marks, bars=bars, width=size, height=height, top=top)
        for size in (width, NARROW)
    )


def _lines(
    lines: Sequence[Line],
    labels: Sequence[str],
    *,
    marks: Sequence[Mark],
    bars: Values,
    width: int,
    height: int,
    top: float | None,
) -> Markup:
    everything = [*[v for line in lines for v in line.values], *bars]
    known = [value for value in everything if value is not None]
    ceiling = top if top is not None else _ceiling(max(known, default=1.0))
    plot_width, plot_height = width - 56, height - 30
    scale = _Scale(labels, plot_width, plot_height, pad=6.0, floor=0.0, ceiling=ceiling)
    parts = [_grid(ceiling, scale, plot_width)]
    slot = plot_width / max(1, len(labels))
    parts += [
        f'<rect class="chart-bar" x="{scale.x(at) - slot * 0.35:.1f}" y="{scale.y(value):.1f}" '
        f'width="{slot * 0.7:.1f}" height="{max(0.0, scale.y(0.0) - scale.y(value)):.1f}"/>'
        for at, value in enumerate(bars)
        if value is not None
    ]
    parts += [
        f'<line class="chart-mark" x1="{scale.x(mark.at):.1f}" x2="{scale.x(mark.at):.1f}" '
        f'y1="0" y2="{plot_height}"/><text class="chart-note" x="{scale.x(mark.at) + 3:.1f}" '
        f'y="10">{escape(mark.label)}</text>'
        for mark in marks
    ]
    parts += [_paths(line.values, scale, f"chart-line line-{line.style}") for line in lines]
    last = len(labels) - 1
    every = max(1, -(-len(labels) // max(1, plot_width // 72)))
    parts += [
        # The last one would be cut in half by the edge.
        f'<text class="chart-label" text-anchor="{"end" if at == last else "middle"}" '
        f'x="{scale.x(at) + 6.0 * (at == last):.1f}" '
        f'y="{plot_height + 18}">{escape(label)}</text>'
        for at, label in enumerate(labels)
        if at % every == 0
    ]
    return _framed(parts, width, height)


def bar_chart(
    labels: Sequence[str], values: Values, *, width: int = 720, row_height: int = 26
) -> Markup:
    """Horizontal bars, one a row, longest value to the right edge; drawn twice as lines are."""
    return Markup("").join(_bars(labels, values, size, row_height) for size in (width, NARROW))


def _bars(labels: Sequence[str], values: Values, width: int, row_height: int) -> Markup:
    height = row_height * max(1, len(labels))
    most = max((abs(value) for value in values if value is not None), default=1.0) or 1.0
    left = 150 if width > NARROW else 110
    parts = []
    for row, (label, value) in enumerate(zip(labels, values, strict=True)):
        y = row * row_height
        size = 0.0 if value is None else abs(value) / most * (width - left - 10)
        style = "chart-bar below" if value is not None and value < 0 else "chart-bar"
        parts.append(
            f'<text class="chart-label" text-anchor="end" x="{left - 10}" '
            f'y="{y + row_height * 0.65:.1f}">{escape(label)}</text>'
            f'<rect class="{style}" x="{left}" y="{y + 5}" width="{size:.1f}" '
            f'height="{row_height - 10}" rx="2"/>'
        )
    return _framed(parts, width, height, shift=0)


class _Scale:
    def __init__(
        self,
        values: Sequence[object],
        width: float,
        height: float,
        *,
        pad: float,
        floor: float,
        ceiling: float | None = None,
    ) -> None:
        known = [float(value) for value in values if isinstance(value, int | float)]
        self._count = max(1, len(values) - 1)
        self._width, self._height, self._pad = width, height, pad
        self._low = floor
        high = ceiling if ceiling is not None else max(known, default=1.0)
        self._span = (high - floor) or 1.0

    def x(self, at: float) -> float:
        return self._pad + at / self._count * (self._width - 2 * self._pad)

    def y(self, value: float) -> float:
        share = (value - self._low) / self._span
        return self._height - self._pad - share * (self._height - 2 * self._pad)


def _paths(values: Values, scale: _Scale, style: str) -> str:
    """One path a run of known values; a lone value is a dot."""
    runs: list[list[tuple[float, float]]] = [[]]
    for at, value in enumerate(values):
        if value is None:
            runs.append([])
        else:
            runs[-1].append((scale.x(at), scale.y(value)))
    parts = []
    for run in runs:
        if len(run) == 1:
            parts.append(
                f'<circle class="{style}" cx="{run[0][0]:.1f}" cy="{run[0][1]:.1f}" r="2"/>'
            )
        elif run:
            points = " ".join(f"{x:.1f},{y:.1f}" for x, y in run)
            parts.append(f'<polyline class="{style}" points="{points}"/>')
    return "".join(parts)


def _grid(ceiling: float, scale: _Scale, width: float) -> str:
    parts = []
    for step in range(5):
        value = ceiling * step / 4
        y = scale.y(value)
        parts.append(
            f'<line class="chart-grid" x1="0" x2="{width}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="chart-label" text-anchor="end" x="-8" y="{y + 4:.1f}">'
            f"{escape(_tick(value, ceiling))}</text>"
        )
    return "".join(parts)


def _tick(value: float, ceiling: float) -> str:
    for size, word in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if ceiling >= size * 10:
            return f"{value / size:.3g}{word}"
    return f"{value:.3g}"


def _ceiling(value: float) -> float:
    """A round number at or above ``value``."""
    if value <= 0.0:
        return 1.0
    size = 1.0
    while size * 10 <= value:
        size *= 10
    while size > value:
        size /= 10
    return next(
        step * size for step in (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if step * size >= value
    )


def _framed(parts: Sequence[str], width: int, height: int, *, shift: int = 48) -> Markup:
    body, style = "".join(parts), "chart slim" if width == NARROW else "chart"
    return Markup(  # noqa: S704  # numbers, and text escaped above
        f'<svg class="{style}" viewBox="0 0 {width} {height}" role="presentation" '
        f'aria-hidden="true" focusable="false"><g transform="translate({shift} 0)">{body}</g></svg>'
    )
