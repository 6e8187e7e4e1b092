"""How right the model was: of those told a risk, how many it came true for.

Each account counts once: with what it was told in the first decision of the month whose 28 days
are over now. So rows are independent, and nothing is judged before its time.
"""

from __future__ import annotations

from dataclasses import dataclass

from console.design.display import percent
from console.standings.beside import Beside
from console.team.interval import Interval, wilson
from flyball.instant import DAY_US

HORIZON_US = 28 * DAY_US
#: A band with fewer accounts says nothing.
FEWEST = 20

#: Where bands begin, as shares; the last one has no end.
EDGES = {"churn": (0.0, 0.02, 0.05, 0.10, 0.20, 0.40), "upgrade": (0.0, 0.05, 0.10, 0.20, 0.40)}
_KINDS = {"churn": "churned", "upgrade": "upgraded"}


@dataclass(frozen=True, slots=True)
class Told:
    """Accounts told about the same chance: ``said`` on average, and how many it came true for."""

    band: str
    accounts: int
    said: float
    happened: int
    interval: Interval

    @property
    def expected(self) -> float:
        """For how many it should have come true."""
        return self.said * self.accounts

    @property
    def verdict(self) -> str:
        """``right``, ``more``, ``fewer`` or ``few`` (too few to tell)."""
        if self.accounts < FEWEST:
            return "few"
        if self.interval.holds(self.said):
            return "right"
        return "more" if self.interval.mean > self.said else "fewer"


@dataclass(frozen=True, slots=True)
class Health:
    """One outcome over a month: all accounts as one, and by what they were told."""

    outcome: str
    all: Told | None
    bands: tuple[Told, ...]


def health(beside: Beside, outcome: str, now_us: int) -> Health:
    """How right chances of ``outcome`` (``churn`` or ``upgrade``) were."""
    edges = EDGES[outcome]
    cases = " ".join(f"WHEN chance < {edge} THEN {at}" for at, edge in enumerate(edges[1:]))
    rows = beside.rows(
        f"""
        WITH told AS MATERIALIZED (
          SELECT d.tenant_id, min(d.decided_us) AS at_us, d.{outcome}_probability AS chance
          FROM standing CROSS JOIN ledger.decision d ON d.tenant_id = standing.tenant_id
          WHERE {{scope}} AND d.mode = 'live' AND d.{outcome}_probability IS NOT NULL
            AND d.period_start_us BETWEEN :since - {31 * DAY_US} AND :until
            AND d.decided_us BETWEEN :since AND :until
          GROUP BY d.tenant_id)
        SELECT CASE {cases} ELSE {len(edges) - 1} END, count(*), avg(chance),
          total(EXISTS (SELECT 1 FROM ledger.subscription s WHERE s.tenant_id = told.tenant_id
            AND s.kind = '{_KINDS[outcome]}' AND s.time_us > at_us
            AND s.time_us <= at_us + {HORIZON_US}))
        FROM told GROUP BY 1 ORDER BY 1
        """,
        {"since": now_us - 2 * HORIZON_US, "until": now_us - HORIZON_US},
    )
    bands = tuple(
        _told(_words(edges, int(at)), int(count), float(said), int(happened))
        for at, count, said, happened in rows
    )
    accounts = sum(band.accounts for band in bands)
    if not accounts:
        return Health(outcome, None, ())
    said = sum(band.expected for band in bands) / accounts
    return Health(
        outcome, _told("All", accounts, said, sum(band.happened for band in bands)), bands
    )


def _told(band: str, accounts: int, said: float, happened: int) -> Told:
    return Told(band, accounts, said, happened, wilson(happened, accounts))


def _words(edges: tuple[float, ...], at: int) -> str:
    if at + 1 == len(edges):
        return f"{percent(edges[at], 0)} and more"
    return f"{edges[at] * 100:.0f} to {percent(edges[at + 1], 0)}"
