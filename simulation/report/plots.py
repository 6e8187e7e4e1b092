"""Plots as SVG, written by hand: the report needs no plotting library."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from simulation.report.grid import Block, Line

_WIDTH, _ROW, _LEFT, _RIGHT, _TOP = 760, 22, 150, 30, 14
_COLOURS = ("#1f5fa8", "#c2571a", "#2c7a4b", "#8a3f8f", "#7a6a1f", "#a12c3a", "#3a7d86", "#555")


def gains(block: Block) -> str:
    """Net value against static by policy, with two-sided bars of the one-sided 95 % bound."""
    spans = [(line.gain - _half(line), line.gain + _half(line)) for line in block.lines]
    low, high = _range([0.0, *(edge for span in spans for edge in span)])
    height = _TOP + _ROW * len(block.lines) + 34
    parts = [_line(_x(0.0, low, high), _TOP, _x(0.0, low, high), height - 30, "#999")]
    for index, (line, span) in enumerate(zip(block.lines, spans, strict=True)):
        y = _TOP + _ROW * (index + 0.5)
        colour = colour_of(line.policy)
        parts.append(_line(_x(span[0], low, high), y, _x(span[1], low, high), y, colour))
        parts.append(_dot(_x(line.gain, low, high), y, colour, f"{line.policy} {line.gain:+.2f} %"))
        parts.append(_text(_LEFT - 8, y + 4, line.policy, "end"))
    parts += _axis(low, high, height - 30)
    title = f"Net value against static by policy, family {block.family}"
    return _svg(height, title, parts)


def frontier(blocks: Sequence[Block]) -> str:
    """Value against friction-induced churn: one dot a policy and family."""
    lines = [(block, line) for block in blocks for line in block.lines]
    low, high = _range([0.0, *(line.gain for _, line in lines)])
    harms = [0.0, *(line.mean["friction_churn_percent"] for _, line in lines)]
    least, most = _range(harms)
    height = 360
    bottom = height - 34

    def y_of(harm: float) -> float:
        return bottom - (harm - least) / (most - least) * (bottom - _TOP)

    parts = [
        _line(_LEFT, y_of(0.0), _WIDTH - _RIGHT, y_of(0.0), "#999"),
        _line(_x(0.0, low, high), _TOP, _x(0.0, low, high), bottom, "#999"),
    ]
    parts += [
        _dot(
            _x(line.gain, low, high),
            y_of(line.mean["friction_churn_percent"]),
            colour_of(line.policy),
            f"{line.policy} in {block.family} ({block.tenants}): value {line.gain:+.2f} %, "
            f"friction churn {line.mean['friction_churn_percent']:+.2f} %",
        )
        for block, line in lines
    ]
    parts += [_text(_LEFT - 8, y_of(tick) + 4, f"{tick:g}", "end") for tick in _ticks(least, most)]
    parts += _axis(low, high, bottom)
    policies = dict.fromkeys(line.policy for _, line in lines)
    for index, policy in enumerate(policies):
        parts.append(_dot(14, _TOP + 20 * index + 6, colour_of(policy), policy))
        parts.append(_text(24, _TOP + 20 * index + 10, policy, "start"))
    return _svg(height, "Value against friction-induced churn, each policy in each family", parts)


def colour_of(policy: str) -> str:
    """A policy's colour, the same in every plot."""
    known = (
        "value", "oracle", "risk_rule", "constant_70", "constant_85", "constant_115",
        "constant_130",
    )  # fmt: skip
    return _COLOURS[known.index(policy)] if policy in known else _COLOURS[-1]


def _half(line: Line) -> float:
    return 0.0 if math.isnan(line.bound) else line.bound


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    room = 0.08 * (high - low) or 0.5
    return low - room, high + room


def _x(value: float, low: float, high: float) -> float:
    return _LEFT + (value - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)


def _ticks(low: float, high: float) -> list[float]:
    rough = (high - low) / 6
    scale = 10 ** math.floor(math.log10(rough))
    step = next(scale * unit for unit in (1, 2, 5, 10) if scale * unit >= rough)
    return [round(i * step, 10) for i in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _axis(low: float, high: float, y: float) -> list[str]:
    return [_text(_x(tick, low, high), y + 18, f"{tick:g}", "middle") for tick in _ticks(low, high)]


def _line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
        'stroke-width="2"/>'
    )


def _dot(x: float, y: float, colour: str, title: str) -> str:
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{colour}">'
        f"<title>{escape(title)}</title></circle>"
    )


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(height: float, title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height:.0f}" width="{_WIDTH}" role="img" '
        f'aria-label="{escape(title)}"><title>{escape(title)}</title>{"".join(parts)}</svg>'
    )
