"""What a gate says: a name, a figure, the threshold it was held against, and a verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """A gate that cannot speak is not applicable; it never counts as passed."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_APPLICABLE = "not_applicable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One gate's result.

    ``rule`` says what had to hold, ``setting`` which setting the threshold comes from (empty: it is
    fixed), ``reason`` why the gate could not speak.
    """

    name: str
    verdict: Verdict
    figure: float | None = None
    threshold: float | None = None
    rule: str = ""
    reason: str = ""
    setting: str = ""

    def plain(self) -> dict[str, object]:
        """JSON-ready."""
        return {
            "name": self.name,
            "verdict": self.verdict.value,
            "figure": _finite(self.figure),
            "threshold": _finite(self.threshold),
            "rule": self.rule,
            "reason": self.reason,
            "setting": self.setting,
        }

    def words(self) -> str:
        """The verdict with its figure and what was wanted, or why there is none."""
        if self.verdict is Verdict.NOT_APPLICABLE:
            return f"not applicable: {self.reason}"
        found, wanted = _number(self.figure), _number(self.threshold)
        cap = f"{wanted}, set by {self.setting}" if self.setting else wanted
        return f"{self.verdict.value}: {found}, wanted {self.rule} ({cap})"

    def sentence(self) -> str:
        """For a refusal: which gate, what it found, what it wanted."""
        return f"{self.name} {self.words()}"


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def at_least(name: str, figure: float, threshold: float, rule: str, setting: str = "") -> Gate:
    """A gate that passes when ``figure >= threshold``; NaN fails."""
    good = figure >= threshold
    return Gate(
        name=name,
        verdict=Verdict.PASSED if good else Verdict.FAILED,
        figure=figure,
        threshold=threshold,
        rule=rule,
        setting=setting,
    )


def above(name: str, figure: float, threshold: float, rule: str, setting: str = "") -> Gate:
    """A gate that passes when ``figure > threshold``; NaN fails."""
    return Gate(
        name=name,
        verdict=Verdict.PASSED if figure > threshold else Verdict.FAILED,
        figure=figure,
        threshold=threshold,
        rule=rule,
        setting=setting,
    )


def at_most(name: str, figure: float, threshold: float, rule: str, setting: str = "") -> Gate:
    """A gate that passes when ``figure <= threshold``; NaN fails."""
    good = figure <= threshold
    return Gate(
        name=name,
        verdict=Verdict.PASSED if good else Verdict.FAILED,
        figure=figure,
        threshold=threshold,
        rule=rule,
        setting=setting,
    )


def not_applicable(name: str, reason: str) -> Gate:
    """A gate that cannot speak, and why."""
    return Gate(name=name, verdict=Verdict.NOT_APPLICABLE, reason=reason)


@dataclass(frozen=True, slots=True)
class GateTable:
    """All gates of one version.

    ``passed`` needs every gate that could speak to pass, and ``evidence`` to be among them: a
    table in which nothing could be judged does not pass.
    """

    gates: tuple[Gate, ...]

    @property
    def failed(self) -> Sequence[Gate]:
        """Gates that say no."""
        return [gate for gate in self.gates if gate.verdict is Verdict.FAILED]

    @property
    def passed(self) -> bool:
        """Whether the version may become champion."""
        return not self.failed and self.judged

    @property
    def judged(self) -> bool:
        """Whether there was enough evidence to judge any model at all."""
        return any(g.name == "evidence" and g.verdict is Verdict.PASSED for g in self.gates)

    @property
    def status(self) -> str:
        """``passed``, ``failed``, or ``insufficient`` (nothing failed, nothing could be judged)."""
        if self.failed:
            return "failed"
        return "passed" if self.judged else "insufficient"

    def plain(self) -> list[dict[str, object]]:
        """JSON-ready."""
        return [gate.plain() for gate in self.gates]
