"""One measured promise: ours, the named baseline, their ratio, and the goal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A figure from one run; ``goal`` bounds ``ratio`` from above (``<=``) or below (``>=``)."""

    promise: str
    name: str
    ours: float
    baseline: float
    unit: str
    goal: str
    met: bool | None
    ratio: float

    def row(self) -> dict[str, Any]:
        """As a JSON object."""
        return asdict(self)


def at_most(
    promise: str, name: str, ours: float, baseline: float, unit: str, limit: float
) -> dict[str, Any]:
    """``ours / baseline`` must not exceed ``limit``."""
    return _row(promise, name, ours, baseline, unit, f"<= {limit}", lambda r: r <= limit)


def at_least(
    promise: str, name: str, ours: float, baseline: float, unit: str, limit: float
) -> dict[str, Any]:
    """``ours / baseline`` must reach ``limit``."""
    return _row(promise, name, ours, baseline, unit, f">= {limit}", lambda r: r >= limit)


def _row(
    promise: str, name: str, ours: float, baseline: float, unit: str, goal: str, good: Any
) -> dict[str, Any]:
    ratio = ours / baseline if baseline else float("nan")
    return Measured(
        promise=promise,
        name=name,
        ours=ours,
        baseline=baseline,
        unit=unit,
        goal=goal,
        met=bool(good(ratio)),
        ratio=ratio,
    ).row()


def line(row: Mapping[str, Any]) -> str:
    """One line for people."""
    verdict = {True: "met", False: "MISSED", None: "reported"}[row.get("met")]
    return (
        f"{row['promise']:<4}{row['name']:<58}{row['ours']:>12.4g} {row.get('unit', ''):<10}"
        f"baseline {row['baseline']:>10.4g}  ratio {row['ratio']:>8.3f}  "
        f"goal {row.get('goal', '-')!s:<10} {verdict}"
    )
