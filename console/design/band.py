"""Bands: a word and a shape for a chance, so that colour is never alone in telling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from flyball.errors import InvalidInput


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Banding:
    """``[console.bands]``: from where on each kind of chance is told as more than low.

    The usual ones: churn is rare and dear; an upgrade is worth a call when it is one in seven.
    """

    churn: Bands = field(default_factory=lambda: Bands(medium=0.04, high=0.10))
    upgrade: Bands = field(default_factory=lambda: Bands(medium=0.05, high=0.15))

    def __post_init__(self) -> None:
        for name, bands in (("churn", self.churn), ("upgrade", self.upgrade)):
            if not 0.0 < bands.medium < bands.high < 1.0:
                raise InvalidInput(
                    f"console.bands.{name} {[bands.medium, bands.high]} must rise between 0 and 1.",
                    "Write where the middle band begins and where the highest does, "
                    "such as [0.04, 0.10].",
                    field=f"console.bands.{name}",
                )


#: The bands where nothing is configured.
USUAL = Banding()


def banding_from(table: object) -> Banding:
    """Read ``[console.bands]``; raises InvalidInput naming the setting."""
    if not isinstance(table, Mapping):
        raise InvalidInput("console.bands must be a table.", field="console.bands")
    for key, value in table.items():
        where = f"console.bands.{str(key)[:64]}"
        if key not in ("churn", "upgrade"):
            raise InvalidInput(
                f"flyball.toml has no setting {where}.", "There are churn and upgrade.",
                field=where, code="unknown_setting",
            )  # fmt: skip
        pair = value if isinstance(value, list | tuple) else ()
        if len(pair) != 2 or any(type(item) not in (int, float) for item in pair):
            raise InvalidInput(
                f"{where} must be two numbers.",
                "Write where the middle band begins and where the highest does, "
                "such as [0.04, 0.10].",
                field=where,
            )
    return Banding(**{name: Bands(*map(float, pair)) for name, pair in table.items()})


#: What each band is called; marks differ in shape, not only in colour.
CHURN_WORDS = {
    Level.HIGH: "High", Level.MEDIUM: "Raised", Level.LOW: "Low", Level.UNKNOWN: "No model",
}  # fmt: skip
UPGRADE_WORDS = {
    Level.HIGH: "Likely", Level.MEDIUM: "Possible", Level.LOW: "Unlikely",
    Level.UNKNOWN: "No model",
}  # fmt: skip
MARKS = {Level.HIGH: "▲", Level.MEDIUM: "◆", Level.LOW: "●", Level.UNKNOWN: "○"}
