"""Finding tenants among those that a person sees: filters and orders as SQL, rows as values."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from console.access.tenants import AccessibleTenant, AccessibleTenants
from console.design.band import USUAL, Banding, Bands
from console.standings.file import Standings
from console.standings.row import Standing, standing_of
from console.standings.tables import COLUMNS, MOVED
from flyball.errors import NotFound
from flyball.instant import DAY_US

SELECTED = ", ".join([*(f"standing.{name}" for name in COLUMNS), "u.last_us", "u.weeks", "u.trend"])
#: The accounts to choose from, without looking at whole rows before they are chosen.
CHOOSING = "FROM standing INDEXED BY standing_figures"
_USED = "LEFT JOIN usage u ON u.tenant_id = standing.tenant_id"
_WEEK_US = 7 * DAY_US
#: Rows that an export reads at once.
PART = 2_000

#: What an order is called, to the expression that it sorts by.
ORDERS: dict[str, str] = {
    "attention": "attention",
    # The first line of what is searched is the name with its case folded.
    "account": "iif(instr(search, char(10)) = 1, lower(standing.tenant_id), "
    "substr(search, 1, instr(search, char(10)) - 1))",
    "owner": "owner",
    "plan": "plan_rank",
    "segment": "segment",
    "region": "region",
    "seats": "seats",
    "arr": "arr_minor",
    "renewal": "renewal_us",
    "churn": "churn",
    "upgrade": "upgrade",
    "trend": "u.trend",
    "change": "max(abs(coalesce(churn - churn_before, 0)), "
    "0.4 * abs(coalesce(upgrade - upgrade_before, 0)), "
    "0.2 * abs(coalesce(arm - arm_before, 0)) / 100.0)",
    "multiplier": "arm",
    "touch": "touch_us",
    "task": "task_due_us",
    "data": "u.last_us",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What the list is narrowed to; empty text means everything.

    ``risk`` and ``upgrade`` are bands (high, medium, low, unknown); ``limit`` is tight, room,
    neutral or person; ``renewal`` days ahead; ``task`` open or overdue; ``changed`` within 7 days;
    ``left`` shows those who have left instead of the others. ``bands`` says what the bands are: it
    is the deployment's, not the visitor's.
    """

    q: str = ""
    owner: str = ""
    plan: str = ""
    segment: str = ""
    region: str = ""
    risk: str = ""
    upgrade: str = ""
    limit: str = ""
    renewal: int = 0
    task: str = ""
    changed: bool = False
    left: bool = False
    bands: Banding = USUAL


@dataclass(frozen=True, slots=True)
class Summary:
    """What a list adds up to, in the reporting currency's minor units."""

    count: int
    arr_minor: float
    at_risk_minor: float
    under_friction: int


@dataclass(frozen=True, slots=True)
class Choices:
    """The values that filters can take for one person."""

    owner: tuple[str, ...]
    plan: tuple[str, ...]
    segment: tuple[str, ...]
    region: tuple[str, ...]


_LIMITS = {
    "tight": "arm < 100",
    "room": "arm > 100",
    "neutral": "arm = 100",
    "person": "override_expires_us > {now}",
}


def condition(
    accessible: AccessibleTenants, filters: Filters, now_us: int
) -> tuple[str, list[object]]:
    """An SQL condition on ``standing`` and its bindings."""
    scope, scoped = accessible.condition()
    parts = [scope, f"left_us IS {'NOT ' if filters.left else ''}NULL"]
    bound: list[object] = list(scoped)
    for column in ("owner", "plan", "segment", "region"):
        value = getattr(filters, column)
        if value:
            parts.append(f"{column} = ?")
            bound.append(value)
    for word in filters.q.casefold().split()[:6]:
        parts.append("instr(search, ?) > 0")
        bound.append(word)
    parts += _banded("churn", filters.bands.churn, filters.risk)
    parts += _banded("upgrade", filters.bands.upgrade, filters.upgrade)
    if filters.limit in _LIMITS:
        parts.append(_LIMITS[filters.limit].format(now=int(now_us)))
    if filters.renewal:
        parts.append(f"renewal_us BETWEEN {now_us} AND {now_us + filters.renewal * DAY_US}")
    if filters.task == "open":
        parts.append("open_tasks > 0")
    elif filters.task == "overdue":
        parts.append(f"task_due_us < {now_us}")
    if filters.changed:
        since = now_us - _WEEK_US
        parts.append(
            f"(moved_us >= {since} OR plan_change_us >= {since} "
            f"OR abs(churn - churn_before) >= {MOVED} OR abs(upgrade - upgrade_before) >= 0.05)"
        )
    return " AND ".join(parts), bound


def _banded(column: str, bands: Bands, level: str) -> list[str]:
    found = {
        "high": f"{column} >= {bands.high}",
        "medium": f"{column} >= {bands.medium} AND {column} < {bands.high}",
        "low": f"{column} < {bands.medium}",
        "unknown": f"{column} IS NULL",
    }
    return [found[level]] if level in found else []


def summary(
    standings: Standings, accessible: AccessibleTenants, filters: Filters, now_us: int
) -> Summary:
    """Counts and sums over everything that the filters leave."""
    where, bound = condition(accessible, filters, now_us)
    row = standings.rows(
        "SELECT count(*), total(arr_minor), total(arr_minor * churn), total(arm < 100) "
        f"{CHOOSING} WHERE {where}",
        bound,
    )[0]
    return Summary(int(row[0]), float(row[1]), float(row[2]), int(row[3]))


def page_of(
    standings: Standings,
    accessible: AccessibleTenants,
    filters: Filters,
    *,
    order: str,
    descending: bool,
    limit: int,
    offset: int,
    now_us: int,
) -> list[Standing]:
    """Some rows in an order of :data:`ORDERS`; what is not known comes last either way."""
    choosing, by, bound = _chosen(
        accessible, filters, order=order, descending=descending, limit=limit, offset=offset,
        now_us=now_us,
    )  # fmt: skip
    rows = standings.rows(
        f"SELECT {SELECTED} FROM ({choosing}) "
        "CROSS JOIN standing ON standing.tenant_id = chosen "
        "LEFT JOIN usage u ON u.tenant_id = chosen "
        f"ORDER BY {by}",
        bound,
    )
    return [standing_of(row) for row in rows]


def every(
    standings: Standings,
    accessible: AccessibleTenants,
    filters: Filters,
    *,
    order: str,
    descending: bool,
    now_us: int,
    most: int,
) -> Iterator[Standing]:
    """All rows up to ``most`` for an export, chosen and sorted once and then read in parts.

    Accounts that have gone by the time of their part are left out.
    """
    choosing, _, bound = _chosen(
        accessible, filters, order=order, descending=descending, limit=most, offset=0,
        now_us=now_us,
    )  # fmt: skip
    names = [row[0] for row in standings.rows(choosing, bound)]
    for at in range(0, len(names), PART):
        rows = standings.rows(
            f"SELECT {SELECTED} FROM json_each(?) AS wanted "
            "CROSS JOIN standing ON standing.tenant_id = wanted.value "
            "LEFT JOIN usage u ON u.tenant_id = wanted.value ORDER BY wanted.key",
            (json.dumps(names[at : at + PART]),),
        )
        yield from map(standing_of, rows)


def _chosen(
    accessible: AccessibleTenants,
    filters: Filters,
    *,
    order: str,
    descending: bool,
    limit: int,
    offset: int,
    now_us: int,
) -> tuple[str, str, list[object]]:
    """A query for the ids of some rows as ``chosen``, its order, and its bindings."""
    where, bound = condition(accessible, filters, now_us)
    by = f"{ORDERS[order]} {'DESC' if descending else 'ASC'} NULLS LAST, standing.tenant_id"
    choosing = (
        f"SELECT standing.tenant_id AS chosen {CHOOSING} {_USED} "
        f"WHERE {where} ORDER BY {by} LIMIT {int(limit)} OFFSET {int(offset)}"
    )
    return choosing, by, bound


def one(standings: Standings, tenant: AccessibleTenant) -> Standing:
    """How one tenant stands; raises NotFound if it has gone meanwhile."""
    rows: list[tuple[Any, ...]] = standings.rows(
        f"SELECT {SELECTED} FROM standing {_USED} WHERE standing.tenant_id = ?", (tenant.tenant_id,)
    )
    if not rows:
        raise NotFound("There is no such account.", "Go back to the list.")
    return standing_of(rows[0])


def choices(standings: Standings, accessible: AccessibleTenants) -> Choices:
    """Which owners, plans, segments and regions occur among a person's tenants."""
    scope, bound = accessible.condition()
    rows = standings.rows(
        f"SELECT DISTINCT owner, plan, segment, region FROM standing WHERE {scope}", bound
    )
    columns = list(zip(*rows, strict=True)) or [()] * 4
    return Choices(*(tuple(sorted({value for value in column if value})) for column in columns))
