"""What tenants that game the product show of themselves instead of the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from simulation.activity import Daily
from simulation.calendar_week import HOURS, first_hour
from simulation.response import DOWNGRADE
from simulation.support import Ticket

Hourly = NDArray[np.float64]
Rows = NDArray[np.int64]


class Disguise(Protocol):
    """A strategy of some tenants, asked week by week; nobody else's life changes."""

    @property
    def rows(self) -> Rows:
        """The tenants that play; they neither upgrade, downgrade nor leave by themselves."""
        ...

    def demand(self, week: int, demand: Hourly) -> Hourly:
        """Demand as it is made, ``[n, 168]``."""
        ...

    def activity(self, activity: dict[str, Daily]) -> dict[str, Daily]:
        """Daily meters as they are shown."""
        ...

    def tickets(self, week: int, tickets: list[Ticket]) -> list[Ticket]:
        """Tickets as they are opened."""
        ...

    def outcome(self, week: int, outcome: Rows) -> Rows:
        """Outcomes, chosen by those who play."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Honest:
    """Plays nothing: what every strategy is compared with.

    ``rows`` are distinct rows of the population.
    """

    rows: Rows

    def demand(self, week: int, demand: Hourly) -> Hourly:
        """As it is."""
        del week
        return demand

    def activity(self, activity: dict[str, Daily]) -> dict[str, Daily]:
        """As it is."""
        return activity

    def tickets(self, week: int, tickets: list[Ticket]) -> list[Ticket]:
        """As they are."""
        del week
        return tickets

    def outcome(self, week: int, outcome: Rows) -> Rows:
        """None, for who plays."""
        del week
        outcome[self.rows] = -1
        return outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class FakedDistress(Honest):
    """Looks like a tenant about to leave: few logins and integrations, many tickets.

    Parameters
    ----------
    depth:
        Share of logins, seats, exports and integrations that is hidden (0..1).
    severity:
        Of one ticket a week; empty for none.
    quiet:
        Share of demand that is held back (0..1): real requests forgone for the looks of it.
    """

    depth: float
    severity: str = ""
    quiet: float = 0.0

    def demand(self, week: int, demand: Hourly) -> Hourly:
        """Less of it, every hour alike."""
        del week
        demand[self.rows] = np.floor(demand[self.rows] * (1.0 - self.quiet))
        return demand

    def activity(self, activity: dict[str, Daily]) -> dict[str, Daily]:
        """Engagement that fades."""
        shown = dict(activity)
        for code in ("lo", "se", "ex", "in", "ai"):
            held = shown[code].copy()
            held[self.rows] = np.floor(held[self.rows] * (1.0 - self.depth))
            shown[code] = held
        return shown

    def tickets(self, week: int, tickets: list[Ticket]) -> list[Ticket]:
        """One more a week, open for a day."""
        if not self.severity:
            return tickets
        start = first_hour(week)
        # Opened on Friday and closed on Tuesday: open when the next week is decided.
        opened, closed = start + 4 * 24, start + 8 * 24
        return [
            *tickets,
            *(
                Ticket(f"fake-{row}-{week}", int(row), opened, closed, self.severity)
                for row in self.rows
            ),
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sawtooth(Honest):
    """Demand pushed back and forth between weeks, so that what is expected is wrong.

    Parameters
    ----------
    swing:
        Share of demand moved out of a low week into the high one (0..1).
    every:
        Weeks of a tooth: the last of them is high.
    """

    swing: float
    every: int = 2

    def demand(self, week: int, demand: Hourly) -> Hourly:
        """Low weeks, and one that has what they lack."""
        high = week % self.every == self.every - 1
        factor = 1.0 + self.swing * (self.every - 1) if high else 1.0 - self.swing
        demand[self.rows] = np.floor(demand[self.rows] * factor)
        return demand


@dataclass(frozen=True, slots=True, kw_only=True)
class Split(Honest):
    """One account becomes several smaller ones that share its demand.

    Parameters
    ----------
    rows:
        The accounts that are split and, after them, the new ones.
    parts:
        Each split account with its new ones, as rows.
    start_week:
        When the larger plan is given up.
    """

    parts: Sequence[Rows] = field(default_factory=tuple)
    start_week: int

    def demand(self, week: int, demand: Hourly) -> Hourly:
        """Shared evenly by the parts that are there."""
        del week
        for part in self.parts:
            there = part[part < len(demand)]
            demand[there] = np.floor(demand[part[0]] / len(there))
        return demand

    def outcome(self, week: int, outcome: Rows) -> Rows:
        """The larger plan goes in the first week, and nothing comes after."""
        outcome[self.rows[self.rows < len(outcome)]] = -1
        if week == self.start_week:
            outcome[[part[0] for part in self.parts]] = DOWNGRADE
        return outcome


def served_of(disguise: Disguise, demand: Hourly, refused: Hourly) -> float:
    """Requests of a week that those who play were served."""
    rows = disguise.rows[disguise.rows < len(demand)]
    return float((demand[rows] - refused[rows]).sum())


def quota_of(base: Rows, disguise: Disguise) -> float:
    """Requests of a week that those who play have paid for; ``base`` is per hour."""
    rows = disguise.rows[disguise.rows < len(base)]
    return float(base[rows].sum()) * HOURS
