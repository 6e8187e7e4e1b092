"""Why: reasons as sentences, and what the models read, with how both changed."""

from __future__ import annotations

from dataclasses import dataclass

from console.design.words import factor
from ledger.explanations import Evidence, Explained

#: Told per outcome, and of changed readings.
_MOST = 5


@dataclass(frozen=True, slots=True)
class Factor:
    """A group of features: its signed weight on the log-odds scale, and the change of it."""

    words: str
    weight: float
    change: float | None


@dataclass(frozen=True, slots=True)
class Reading:
    """A feature that changed between two decisions."""

    name: str
    before: float
    now: float


def factors(explained: Explained | None, outcome: str) -> list[Factor]:
    """The groups that speak most for or against ``outcome``, strongest first."""
    if explained is None:
        return []
    now = explained.current.contributions.get(outcome, {})
    before = explained.previous.contributions.get(outcome) if explained.previous else None
    ranked = sorted(now.items(), key=lambda item: (-abs(item[1]), item[0]))
    return [
        Factor(factor(name), value, None if before is None else value - before.get(name, 0.0))
        for name, value in ranked[:_MOST]
        if value != 0.0
    ]


def readings(explained: Explained | None) -> list[Reading]:
    """The features that changed most since the decision before, relative to their size."""
    if explained is None or explained.previous is None:
        return []
    found = _changed(explained.current, explained.previous)
    return [reading for _, reading in sorted(found, key=lambda item: (-item[0], item[1].name))][
        :_MOST
    ]


def _changed(now: Evidence, before: Evidence) -> list[tuple[float, Reading]]:
    changed = []
    for name, value in now.features.items():
        earlier = before.features.get(name)
        if value is None or earlier is None or value == earlier:
            continue
        size = max(abs(value), abs(earlier))
        changed.append((abs(value - earlier) / size, Reading(_words(name), earlier, value)))
    return changed


def _words(name: str) -> str:
    return name.replace("_", " ")
