"""Scales and shapes of plots as SVG, written by hand: the report needs no plotting library."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

#: Told apart by the common kinds of colour blindness, and dark enough on white.
_COLOURS = {
    "value": "#0b5fa5",
    "oracle": "#b34a00",
    "exploring_oracle": "#d98e5f",
    "risk_rule": "#1b7a4b",
    "relax": "#5d7a00",
    "segment": "#007a87",
    "reckless": "#a3143c",
    "constant_70": "#7d3c98",
    "constant_85": "#a274bb",
    "constant_115": "#7a6a1f",
    "constant_130": "#b09a3c",
}
_OTHER = "#555"


def colour_of(policy: str) -> str:
    """A policy's colour, the same in every plot and under every harm budget."""
    return _COLOURS.get(policy.partition("@")[0], _OTHER)


@dataclass(frozen=True, slots=True)
class Scale:
    """From values ``low`` to ``high`` to pixels ``start`` to ``end``."""

    low: float
    high: float
    start: float
    end: float

    @staticmethod
    def over(values: Sequence[float], start: float, end: float) -> Scale:
        """A scale that shows all of ``values`` with some room."""
        low, high = min(values), max(values)
        room = 0.08 * (high - low) or 0.5
        return Scale(low - room, high + room, start, end)

    def __call__(self, value: float) -> float:
        """The pixel of a value."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """About six round values."""
        rough = (self.high - self.low) / 6
        scale = 10 ** math.floor(math.log10(rough))
        step = next(scale * unit for unit in (1, 2, 5, 10) if scale * unit >= rough)
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        return [round(i * step, 10) for i in range(first, last + 1)]


def line(x1: float, y1: float, x2: float, y2: float, colour: str, *, dashed: bool = False) -> str:
    """A straight line."""
    dash = ' stroke-dasharray="5 4"' if dashed else ""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
        f'stroke-width="2"{dash}/>'
    )


def dot(x: float, y: float, colour: str, title: str) -> str:
    """A dot that says what it is when pointed at."""
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{colour}"><title>{escape(title)}</title>'
        "</circle>"
    )


def text(x: float, y: float, words: str, anchor: str, *, bold: bool = False) -> str:
    """Words at a point."""
    weight = ' font-weight="600"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{weight}>{escape(words)}</text>'


def svg(width: float, height: float, title: str, parts: Sequence[str]) -> str:
    """A picture with a name for those who do not see it."""
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" role="img" '
        f'aria-label="{escape(title)}"><title>{escape(title)}</title>{"".join(parts)}</svg>'
    )
