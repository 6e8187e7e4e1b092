"""Results of a grid by family, population size and policy: means over seeds, and bounds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from simulation.responses.families import FAMILIES

#: Quantile 0.95 of Student's t by degrees of freedom; beyond them the normal's.
_T95 = (6.314, 2.920, 2.353, 2.132, 2.015, 1.943, 1.895, 1.860, 1.833, 1.812)
_NORMAL95 = 1.645
#: How training says that nothing can be said.
INSUFFICIENT = "insufficient evidence"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One policy in one family and size, over its seeds.

    ``each`` holds every figure seed by seed (where a seed has it). Differences to static are taken
    within a seed, so their spread over seeds is that of a paired comparison. ``poor_evidence``
    holds the shares of decisions at 1 in the seeds whose training found too little evidence.
    """

    policy: str
    seeds: int
    each: Mapping[str, tuple[float, ...]]
    worst_segment: str
    violations: int
    poor_evidence: tuple[float, ...] = ()

    @property
    def mean(self) -> Mapping[str, float]:
        """Mean of every figure over the seeds that have it."""
        return {name: sum(values) / len(values) for name, values in self.each.items()}

    @property
    def bound(self) -> float:
        """Half width of the one-sided 95 % bound on the net value; NaN with one seed."""
        return self.half_width("against_static_percent")

    def half_width(self, figure: str) -> float:
        """Half width of a one-sided 95 % bound on a figure's mean over seeds; NaN with one."""
        return bound95(list(self.each.get(figure, ())))

    @property
    def gain(self) -> float:
        """Net value against static, percent."""
        return self.mean["against_static_percent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A family at one size, best policy first."""

    family: str
    tenants: int
    lines: tuple[Line, ...]
    trained: str
    held_out: bool = False

    def line(self, policy: str) -> Line | None:
        """The line of a policy."""
        return next((line for line in self.lines if line.policy == policy), None)


def blocks(cells: Iterable[Mapping[str, Any]], judged: str) -> list[Block]:
    """Group results; the family in which ``judged`` (a policy) does worst comes first.

    Families that are held out of all tuning come after the others.
    """
    groups: dict[tuple[str, int], dict[str, list[Mapping[str, Any]]]] = {}
    for cell in cells:
        group = groups.setdefault((cell["family"], cell["tenants"]), {})
        group.setdefault(cell["policy"], []).append(cell)
    found = [
        Block(
            family=family,
            tenants=tenants,
            lines=tuple(sorted((_line(n, c) for n, c in by.items()), key=lambda x: -x.gain)),
            trained=_trained(by),
            held_out=family in FAMILIES and FAMILIES[family].held_out,
        )
        for (family, tenants), by in groups.items()
    ]
    return sorted(found, key=lambda b: (b.held_out, _judged(b, judged), b.family, b.tenants))


def _judged(block: Block, policy: str) -> float:
    line = block.line(policy) or block.lines[-1]
    return line.gain


def _line(policy: str, cells: list[Mapping[str, Any]]) -> Line:
    rows = [cell["figures"] for cell in cells]
    each: dict[str, list[float]] = {}
    for name, value in ((n, v) for row in rows for n, v in row.items()):
        if isinstance(value, int | float):
            each.setdefault(name, []).append(float(value))
    worst = min(rows, key=lambda row: float(row["worst_segment_percent"]))
    return Line(
        policy=policy,
        seeds=len(rows),
        each={name: tuple(values) for name, values in each.items()},
        worst_segment=worst["worst_segment"],
        violations=sum(sum(row["violations"].values()) for row in rows),
        poor_evidence=tuple(
            cell["figures"]["chosen_at_one_percent"]
            for cell in cells
            if str(cell["learnt"].get("effects", "")).startswith(INSUFFICIENT)
            and "chosen_at_one_percent" in cell["figures"]
        ),
    )


def bound95(values: list[float]) -> float:
    """Half width of a one-sided 95 % bound on the mean of ``values`` (Student's t).

    Examples
    --------
    >>> round(bound95([1.0, 2.0, 3.0]), 3)
    1.686
    """
    count = len(values)
    if count < 2:
        return math.nan
    mean = sum(values) / count
    variance = sum((value - mean) ** 2 for value in values) / (count - 1)
    t = _T95[count - 2] if count - 2 < len(_T95) else _NORMAL95
    return t * math.sqrt(variance / count)


def _trained(by: Mapping[str, list[Mapping[str, Any]]]) -> str:
    """In how many of the family's worlds training ended with a champion, and with what evidence."""
    worlds = {c["seed"]: c["learnt"] for cells in by.values() for c in cells if c["learnt"]}
    known = list(worlds.values())
    if not known:
        return ""
    champions = sum(bool(learnt["promoted"]) for learnt in known)
    text = f"{champions} of {len(known)} trainings ended with a champion"
    seconds = [learnt["cpu_s"] for learnt in known if "cpu_s" in learnt]
    if seconds:
        text += f" ({sum(seconds) / len(seconds):.0f} CPU s until then)"
    poor = sum(learnt["effects"].startswith(INSUFFICIENT) for learnt in known)
    return f"{text}, {poor} with insufficient evidence of effects" if poor else text
