"""Accounts like this one: of the same plan, nearest in revenue and in the chance of leaving."""

from __future__ import annotations

from console.access.tenants import AccessibleTenants
from console.standings.file import Standings
from console.standings.row import Standing, standing_of
from console.standings.search import CHOOSING, SELECTED

#: What the page says about the rule; the statement below is the rule.
RULE = (
    "Same plan, among the accounts that you see; segment first, then nearest in annual revenue "
    "(ratio) and in churn risk (5 points count as much as a factor of e in revenue)."
)
_MOST = 5


def similar(standings: Standings, accessible: AccessibleTenants, row: Standing) -> list[Standing]:
    """At most five accounts that are still there, nearest first."""
    condition, bound = accessible.condition()
    found = standings.rows(
        f"SELECT {SELECTED} FROM (SELECT standing.tenant_id AS chosen, segment <> ? AS other, "
        "abs(ln(coalesce(arr_minor, 0) + 1) - ln(? + 1)) + 20.0 * abs(coalesce(churn, 0) - ?) "
        f"AS far {CHOOSING} WHERE {condition} AND standing.tenant_id <> ? AND plan = ? "
        f"AND left_us IS NULL ORDER BY other, far, chosen LIMIT {_MOST}) "
        "CROSS JOIN standing ON standing.tenant_id = chosen "
        "LEFT JOIN usage u ON u.tenant_id = chosen ORDER BY other, far, chosen",
        (row.segment, row.arr_minor or 0.0, row.churn or 0.0, *bound, row.tenant_id, row.plan),
    )
    return [standing_of(item) for item in found]
