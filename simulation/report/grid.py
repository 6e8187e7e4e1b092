"""Results of a grid by family, population size and policy: means over seeds, and bounds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

#: Quantile 0.95 of Student's t by degrees of freedom; beyond them the normal's.
_T95 = (6.314, 2.920, 2.353, 2.132, 2.015, 1.943, 1.895, 1.860, 1.833, 1.812)
_NORMAL95 = 1.645


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One policy in one family and size, over its seeds."""

    policy: str
    seeds: int
    mean: Mapping[str, float]
    #: Half width of the one-sided 95 % bound on the net value against static; NaN with one seed.
    bound: float
    worst_segment: str
    violations: int

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

    def line(self, policy: str) -> Line | None:
        """The line of a policy."""
        return next((line for line in self.lines if line.policy == policy), None)


def blocks(cells: Iterable[Mapping[str, Any]], judged: str) -> list[Block]:
    """Group results; the family in which ``judged`` (a policy) does worst comes first."""
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
        )
        for (family, tenants), by in groups.items()
    ]
    return sorted(found, key=lambda block: (_judged(block, judged), block.family, block.tenants))


def _judged(block: Block, policy: str) -> float:
    line = block.line(policy) or block.lines[-1]
    return line.gain


def _line(policy: str, cells: list[Mapping[str, Any]]) -> Line:
    rows = [cell["figures"] for cell in cells]
    names = [name for name, value in rows[0].items() if isinstance(value, int | float)]
    gains = [row["against_static_percent"] for row in rows]
    worst = min(rows, key=lambda row: float(row["worst_segment_percent"]))
    return Line(
        policy=policy,
        seeds=len(rows),
        mean={name: sum(row[name] for row in rows) / len(rows) for name in names},
        bound=bound95(gains),
        worst_segment=worst["worst_segment"],
        violations=sum(sum(row["violations"].values()) for row in rows),
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
    poor = sum(learnt["effects"].startswith("insufficient evidence") for learnt in known)
    return f"{text}, {poor} with insufficient evidence of effects" if poor else text
