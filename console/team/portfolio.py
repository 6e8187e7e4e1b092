"""What the accounts add up to: revenue at risk, upgrades within reach, friction, overdraft."""

from __future__ import annotations

from dataclasses import dataclass

from console.standings.beside import Beside
from flyball.guardrail_settings import GuardrailSettings
from flyball.instant import DAY_US

#: What the portfolio is told by, to its column and heading.
GROUPS = {"segment": "Segment", "owner": "Owner", "region": "Region", "plan": "Plan"}

#: What the next larger plan costs a month, in the reporting currency, for each plan.
_NEXT = """
next AS MATERIALIZED (
  SELECT p.plan, (SELECT q.price_minor * r.factor FROM plan q LEFT JOIN rate r
    ON r.currency = q.currency WHERE q.rank > p.rank ORDER BY q.rank LIMIT 1) AS price
  FROM plan p)
"""


@dataclass(frozen=True, slots=True)
class Holding:
    """A group of accounts; money in minor units of the reporting currency, a year.

    ``at_risk_minor`` is annual revenue × churn chance over 28 days, ``potential_minor`` what the
    next plan would add a year × upgrade chance. ``allowed`` is the largest share under friction.
    """

    name: str
    accounts: int
    arr_minor: float
    at_risk_minor: float
    potential_minor: float
    tight: int
    room: int
    by_person: int
    high_risk: int
    allowed: float | None

    @property
    def tight_share(self) -> float:
        """Share of the group under friction, 0..1."""
        return self.tight / self.accounts if self.accounts else 0.0


@dataclass(frozen=True, slots=True)
class Overdraft:
    """Extra requests set aside in the current period, and what may be; None without a bound."""

    spent: float
    budget: float | None
    accounts: int

    @property
    def share(self) -> float | None:
        """How much of the budget is spent, 0..; None without a bound."""
        return self.spent / self.budget if self.budget else None


def holdings(
    beside: Beside, by: str, now_us: int, high: float, rules: GuardrailSettings
) -> list[Holding]:
    """The accounts by ``by`` of :data:`GROUPS`, those with most revenue at risk first."""
    rows = beside.rows(
        f"WITH {_NEXT} SELECT standing.{by if by in GROUPS else 'segment'} AS name, count(*), "
        "total(arr_minor), total(arr_minor * churn), "
        "total(max(0, 12 * n.price - arr_minor) * upgrade), total(arm < 100), total(arm > 100), "
        "total(override_expires_us > :now), total(churn >= :high) "
        "FROM standing LEFT JOIN next n ON n.plan = standing.plan "
        "WHERE {scope} AND left_us IS NULL GROUP BY 1 ORDER BY 4 DESC, 2 DESC, 1",
        {"now": now_us, "high": high},
    )
    return [
        Holding(
            str(row[0] or ""), int(row[1]), row[2], row[3], row[4], int(row[5]), int(row[6]),
            int(row[7]), int(row[8]), rules.share_of(row[0] or "") if by == "segment" else None,
        )
        for row in rows
    ]  # fmt: skip


def together(parts: list[Holding]) -> Holding:
    """All groups as one."""
    return Holding(
        "All", sum(p.accounts for p in parts), sum(p.arr_minor for p in parts),
        sum(p.at_risk_minor for p in parts), sum(p.potential_minor for p in parts),
        sum(p.tight for p in parts), sum(p.room for p in parts), sum(p.by_person for p in parts),
        sum(p.high_risk for p in parts), None,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class SetAside:
    """Extra requests that current decisions have set aside, for how many accounts.

    ``demand`` is what all of them asked for in the last whole week.
    """

    requests: float
    accounts: int
    demand: float


def set_aside(beside: Beside, now_us: int) -> SetAside:
    """What this period's decisions have set aside: reads a decision for every account."""
    requests, accounts = beside.rows(
        "SELECT total(d.overdraft_requests), total(d.overdraft_requests > 0) FROM standing "
        "JOIN ledger.decision d ON d.decision_id = standing.decision_id "
        "WHERE {scope} AND left_us IS NULL "
        f"AND d.period_start_us + d.period_days * {DAY_US} > :now",
        {"now": now_us},
    )[0]
    demand = beside.rows(
        "SELECT total(json_extract(u.weeks, '$[#-1]')) FROM standing "
        "JOIN usage u ON u.tenant_id = standing.tenant_id WHERE {scope} AND left_us IS NULL"
    )[0][0]
    return SetAside(requests, int(accounts), demand)


def overdraft(found: SetAside, rules: GuardrailSettings, everyone: bool) -> Overdraft:
    """What is set aside, against the bound on these accounts' demand.

    The bound on a share of demand holds for a part of the accounts as for all, so it says nothing
    about accounts that the visitor does not see; a bound in requests is told to those who see all.
    """
    bounds = []
    if rules.overdraft_total_share is not None:
        bounds.append(rules.overdraft_total_share * found.demand)
    if rules.overdraft_total_requests is not None and everyone:
        bounds.append(rules.overdraft_total_requests)
    return Overdraft(found.requests, min(bounds, default=None), found.accounts)
