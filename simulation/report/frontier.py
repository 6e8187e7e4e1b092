"""Value against harm, one small plot a family: what more value costs in churn that friction caused.

Policies that are one policy under several harm budgets are joined by a line.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from itertools import pairwise

from simulation.report.criteria import HARM_PERCENT
from simulation.report.grid import Block, Line
from simulation.report.scale import Scale, colour_of, dot, line, svg, text

_WIDTH, _HEIGHT = 400, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 74, 30, 38


def frontier(block: Block) -> str:
    """One family: value to the right, friction-induced churn upwards, the harm budget dashed."""
    found = [each for each in block.lines if each.policy != "static"]
    across = Scale.over([0.0, *(each.gain for each in found)], _LEFT, _WIDTH - _RIGHT)
    harms = [0.0, HARM_PERCENT, *(_harm(each) for each in found)]
    upwards = Scale.over(harms, _HEIGHT - _BOTTOM, _TOP)
    parts = [
        text(_LEFT, 16, f"{block.family}, {block.tenants:,}", "start", bold=True),
        line(_LEFT, upwards(0.0), _WIDTH - _RIGHT, upwards(0.0), "#999"),
        line(across(0.0), _TOP, across(0.0), _HEIGHT - _BOTTOM, "#999"),
        line(
            _LEFT, upwards(HARM_PERCENT), _WIDTH - _RIGHT, upwards(HARM_PERCENT), "#c2571a",
            dashed=True,
        ),
        *_axes(across, upwards),
        *_budgets(found, across, upwards),
    ]  # fmt: skip
    for each, y in _labels(found, upwards):
        x = across(each.gain)
        named = f"{each.policy}: value {each.gain:+.2f} %, friction churn {_harm(each):+.2f} %"
        parts.append(dot(x, upwards(_harm(each)), colour_of(each.policy), named))
        parts.append(text(x + 7, y + 4, each.policy, "start"))
    title = f"Value against friction-induced churn by policy, {block.family}"
    return svg(_WIDTH, _HEIGHT, title, parts)


def _labels(found: Sequence[Line], upwards: Scale) -> list[tuple[Line, float]]:
    """Each policy and the height of its name; names of dots close to each other are spread."""
    placed: list[tuple[Line, float]] = []
    last = math.inf
    for each in sorted(found, key=_harm):
        y = min(upwards(_harm(each)), last - 12.0)
        placed.append((each, y))
        last = y
    return placed


def _budgets(found: Sequence[Line], across: Scale, upwards: Scale) -> list[str]:
    """Lines through one policy's budgets, the tightest first."""
    groups: dict[str, list[Line]] = {}
    for each in found:
        groups.setdefault(each.policy.partition("@")[0], []).append(each)
    parts = []
    for group in groups.values():
        ordered = sorted(group, key=lambda each: _budget(each.policy))
        for one, other in pairwise(ordered):
            ends = (across(one.gain), upwards(_harm(one)), across(other.gain))
            parts.append(line(*ends, upwards(_harm(other)), colour_of(one.policy)))
    return parts


def _budget(policy: str) -> float:
    _, at, text_ = policy.partition("@")
    if not at:
        return HARM_PERCENT
    return math.inf if text_ == "none" else float(text_)


def _harm(each: Line) -> float:
    return each.mean["friction_churn_percent"]


def _axes(across: Scale, upwards: Scale) -> list[str]:
    bottom = _HEIGHT - _BOTTOM
    parts = [text(across(t), bottom + 16, f"{t:g}", "middle") for t in across.ticks()]
    parts += [text(_LEFT - 6, upwards(t) + 4, f"{t:g}", "end") for t in upwards.ticks()]
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(text(middle, _HEIGHT - 6, "value against static, percent", "middle"))
    label = escape("friction churn, percent")
    parts.append(
        f'<text transform="translate(12 {(_TOP + bottom) / 2:.0f}) rotate(-90)" '
        f'text-anchor="middle">{label}</text>'
    )
    return parts
