"""Net value by policy, with its bound over seeds."""

from __future__ import annotations

import math

from simulation.report.grid import Block, Line
from simulation.report.scale import Scale, colour_of, dot, line, svg, text

_WIDTH, _ROW, _LEFT, _RIGHT, _TOP, _BOTTOM = 760, 22, 150, 60, 14, 48


def gains(block: Block) -> str:
    """Net value against static by policy, with two-sided bars of the one-sided 95 % bound."""
    spans = [(each.gain - _half(each), each.gain + _half(each)) for each in block.lines]
    ends = [0.0, *(edge for span in spans for edge in span)]
    across = Scale.over(ends, _LEFT, _WIDTH - _RIGHT)
    height = _TOP + _ROW * len(block.lines) + _BOTTOM
    bottom = height - _BOTTOM
    parts = [line(across(0.0), _TOP, across(0.0), bottom, "#999")]
    for index, (each, span) in enumerate(zip(block.lines, spans, strict=True)):
        y = _TOP + _ROW * (index + 0.5)
        colour = colour_of(each.policy)
        parts.append(line(across(span[0]), y, across(span[1]), y, colour))
        parts.append(dot(across(each.gain), y, colour, f"{each.policy} {each.gain:+.2f} %"))
        parts.append(text(_LEFT - 8, y + 4, each.policy, "end"))
    parts += [text(across(t), bottom + 16, f"{t:g}", "middle") for t in across.ticks()]
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(text(middle, height - 8, "net value against static, percent", "middle"))
    return svg(_WIDTH, height, f"Net value against static by policy, {block.family}", parts)


def _half(each: Line) -> float:
    return 0.0 if math.isnan(each.bound) else each.bound
