"""Live periods in which a policy wanted to act, what was drawn instead or not, and who left."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from flyball.arm import NEUTRAL
from flyball.instant import DAY_US
from ledger.sqlite_connection import SqliteFile


class DecisionSource(Protocol):
    """A ledger to read from."""

    @property
    def file(self) -> SqliteFile:
        """The SQLite file."""
        ...


class ActedPeriod(NamedTuple):
    """One decision whose period is over. ``marginal`` counts the draw and the holdout together.

    ``neutral_marginal`` is the same probability of arm 100, whichever arm it became.
    ``model_version`` names the bundle that the proposal came from.
    """

    organisation: str
    tenant_id: str
    start_us: int
    period_days: int
    arm: int
    proposed_arm: int
    marginal: float
    neutral_marginal: float
    churned: bool
    model_version: str = ""


def acted_periods(ledger: DecisionSource, *, since_us: int, now_us: int) -> list[ActedPeriod]:
    """Drawn and held-out decisions with a proposal other than 100, in order of their start.

    Those that began at ``since_us`` or later and whose period was over at ``now_us``.
    """
    rows = ledger.file.rows(
        "SELECT organisation, d.tenant_id, period_start_us, period_days, arm, proposed_arm, "
        "marginal_propensity, propensity, json_extract(offered, '$.\"100\"'), "
        "EXISTS (SELECT 1 FROM subscription s "
        "WHERE s.tenant_id = d.tenant_id AND s.kind = 'churned' AND s.time_us > period_start_us "
        f"AND s.time_us <= period_start_us + period_days * {DAY_US}), model_version "
        "FROM decision d WHERE mode = 'live' AND NOT continued AND proposed_arm <> 100 "
        "AND assignment IN ('drawn', 'holdout') AND marginal_propensity > 0 "
        f"AND period_start_us >= ?1 AND period_start_us + period_days * {DAY_US} <= ?2 "
        "ORDER BY period_start_us, d.tenant_id",
        (since_us, now_us),
    )
    return [
        ActedPeriod._make((*row[:7], _neutral_marginal(row[4], *row[6:9]), bool(row[9]), row[10]))
        for row in rows
    ]


def _neutral_marginal(arm: int, marginal: float, propensity: float, offered: float | None) -> float:
    """Marginal probability of arm 100 where ``arm`` had ``marginal``, ``propensity`` of it drawn.

    ``offered`` is the draw's own probability of 100; None where it was not offered.
    """
    if arm == NEUTRAL:
        return marginal
    # Any other arm comes of a draw only: its marginal is (1 - holdout share) times its propensity.
    drawn = min(1.0, marginal / propensity)
    return (1.0 - drawn) + drawn * (offered or 0.0)
