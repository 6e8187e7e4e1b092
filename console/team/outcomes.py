"""What became of decided accounts against those of the holdout, which are always at ×1.

Whom the holdout takes is drawn once, by organisation, so the two differ by nothing but decisions;
within the decided, who was tightened was chosen, so parts of them cannot be compared this way.
Overrides and kills are left out. Intervals are clustered by organisation.
"""

from __future__ import annotations

from dataclasses import dataclass

from console.standings.beside import Beside
from console.team.interval import Interval, Moments, difference, share_interval
from flyball.instant import DAY_US

#: Periods that have ended within so many weeks are compared.
WEEKS = 13
KINDS = {"upgraded": "Upgraded", "downgraded": "Downgraded", "churned": "Left"}

_PERIOD = f"d.period_days * {DAY_US}"
_COMPARED = f"""
d.mode = 'live' AND d.assignment IN ('holdout', 'drawn', 'policy')
AND d.period_start_us >= :since AND d.period_start_us + {_PERIOD} <= :now
"""
_MOMENTS = f"""
WITH met AS MATERIALIZED (
  SELECT d.organisation, d.assignment = 'holdout' AS held, count(*) AS n
  FROM standing CROSS JOIN ledger.decision d ON d.tenant_id = standing.tenant_id
  WHERE {{scope}} AND {_COMPARED} GROUP BY 1, 2),
happened AS MATERIALIZED (
  SELECT d.organisation, d.assignment = 'holdout' AS held, total(o.kind = 'upgraded') AS upgraded,
    total(o.kind = 'downgraded') AS downgraded, total(o.kind = 'churned') AS churned
  FROM ledger.outcome o CROSS JOIN standing ON standing.tenant_id = o.tenant_id
  JOIN ledger.decision d ON d.tenant_id = o.tenant_id AND d.period_start_us <= o.time_us
    AND d.period_start_us > o.time_us - 366 * {DAY_US} AND o.time_us < d.period_start_us + {_PERIOD}
  WHERE {{scope}} AND o.time_us >= :since AND o.time_us <= :now AND {_COMPARED} GROUP BY 1, 2)
SELECT met.held, total(n), total(n * n), {
    ", ".join(f"total({kind}), total({kind} * {kind}), total({kind} * n)" for kind in KINDS)
}
FROM met LEFT JOIN happened h ON h.organisation = met.organisation AND h.held = met.held
GROUP BY 1
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One kind of outcome: shares of account-periods in which it happened, and their difference.

    ``verdict`` is ``more``, ``fewer``, ``same`` (the interval holds 0) or ``unknown``.
    """

    kind: str
    words: str
    decided: Interval
    held: Interval
    change: Interval | None

    @property
    def verdict(self) -> str:
        """What the interval of the difference allows to say."""
        if self.change is None:
            return "unknown"
        if self.change.holds(0.0):
            return "same"
        return "more" if self.change.mean > 0 else "fewer"


@dataclass(frozen=True, slots=True)
class Comparison:
    """All kinds, and on how many account-periods they stand."""

    outcomes: tuple[Outcome, ...]
    decided_rows: int
    held_rows: int


def comparison(beside: Beside, now_us: int) -> Comparison:
    """Compare what was decided with the holdout over the last :data:`WEEKS`."""
    rows = beside.rows(_MOMENTS, {"now": now_us, "since": now_us - WEEKS * 7 * DAY_US})
    sides = {bool(row[0]): row for row in rows}
    outcomes = []
    for at, (kind, words) in enumerate(KINDS.items()):
        decided, held = (_moments(sides.get(side), 3 + 3 * at) for side in (False, True))
        outcomes.append(
            Outcome(
                kind, words, share_interval(decided), share_interval(held),
                difference(decided, held),
            )
        )  # fmt: skip
    return Comparison(
        tuple(outcomes), *(int(sides[s][1]) if s in sides else 0 for s in (False, True))
    )


def _moments(row: tuple[float, ...] | None, at: int) -> Moments:
    if row is None:
        return Moments(rows=0, events=0, events_squared=0, events_rows=0, rows_squared=0)
    return Moments(
        rows=row[1], rows_squared=row[2], events=row[at], events_squared=row[at + 1],
        events_rows=row[at + 2],
    )  # fmt: skip
