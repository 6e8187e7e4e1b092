"""Bands: a word and a shape for a chance, so that colour is never alone in telling."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How much a chance over 28 days asks for."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Bands:
    """From which probability (0..1, over 28 days) a chance is medium and high."""

    medium: float
    high: float

    def level(self, chance: float | None) -> Level:
        """The band that ``chance`` lies in."""
        if chance is None:
            return Level.UNKNOWN
        if chance >= self.high:
            return Level.HIGH
        return Level.MEDIUM if chance >= self.medium else Level.LOW


#: Churn is rare and dear; an upgrade is worth a call when it is one in seven.
CHURN = Bands(medium=0.04, high=0.10)
UPGRADE = Bands(medium=0.05, high=0.15)

#: What each band is called; marks differ in shape, not only in colour.
CHURN_WORDS = {
    Level.HIGH: "High", Level.MEDIUM: "Raised", Level.LOW: "Low", Level.UNKNOWN: "No model",
}  # fmt: skip
UPGRADE_WORDS = {
    Level.HIGH: "Likely", Level.MEDIUM: "Possible", Level.LOW: "Unlikely",
    Level.UNKNOWN: "No model",
}  # fmt: skip
MARKS = {Level.HIGH: "▲", Level.MEDIUM: "◆", Level.LOW: "●", Level.UNKNOWN: "○"}
