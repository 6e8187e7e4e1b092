"""What has changed since a time: accounts, people's moves, and what holds for everybody."""

from __future__ import annotations

from dataclasses import dataclass

from console.access.tenants import AccessibleTenants
from console.desk import Desk
from console.standings.beside import Beside, beside_ledger
from console.standings.row import Standing, standing_of
from console.standings.search import SELECTED
from console.standings.tables import MOVED, logged_by
from flyball.instant import DAY_US

#: Each list shows so many; its count says how many there are.
MOST = 12

#: What happened to accounts, one row each: time, tenant, kind, what, author, text.
_HAPPENED = f"""
SELECT time_us AS at_us, tenant_id, 'outcome' AS kind, kind AS what, '' AS author, plan AS text
  FROM ledger.subscription WHERE time_us > :since AND time_us <= :now
UNION ALL SELECT created_us, tenant_id, 'override', kind, author, reason
  FROM ledger.override WHERE created_us > :since AND created_us <= :now
UNION ALL SELECT e.ended_us, e.tenant_id, 'override_end', o.kind, e.author, e.reason
  FROM ledger.override_end e JOIN ledger.override o ON o.seq = e.override_seq
  WHERE e.ended_us > :since AND e.ended_us <= :now
UNION ALL SELECT time_us, tenant_id, 'intervention', kind, {logged_by("i")}, note
  FROM ledger.intervention i WHERE time_us > :since AND time_us <= :now
UNION ALL SELECT opened_us, tenant_id, 'ticket', severity, '', '' FROM ledger.ticket t
  WHERE severity = 'urgent' AND opened_us > :since AND opened_us <= :now
    AND version = (SELECT max(version) FROM ledger.ticket x WHERE x.ticket_id = t.ticket_id)
"""

WORDS = {
    ("outcome", "started"): "Started", ("outcome", "upgraded"): "Upgraded",
    ("outcome", "downgraded"): "Downgraded", ("outcome", "renewed"): "Renewed",
    ("outcome", "churned"): "Left", ("override", "force_neutral"): "Set to ×1",
    ("override", "exempt"): "Exempted from friction", ("override", "freeze"): "Frozen",
    ("override", "choose"): "Multiplier chosen", ("ticket", "urgent"): "Urgent ticket",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Happened:
    """One thing that happened to one account."""

    at_us: int
    tenant_id: str
    title: str
    kind: str
    what: str
    author: str
    text: str

    @property
    def words(self) -> str:
        """What it was, in a word or two."""
        if self.kind == "override_end":
            return "Override ended"
        known = WORDS.get((self.kind, self.what))
        return known or self.what.replace("_", " ").capitalize()


@dataclass(frozen=True, slots=True)
class Part:
    """Accounts that one thing is true of: the first few, and how many there are."""

    count: int
    rows: tuple[Standing, ...]


@dataclass(frozen=True, slots=True)
class Due:
    """An open task that is due."""

    due_us: int
    tenant_id: str
    title: str
    task: str
    assignee: str


@dataclass(frozen=True, slots=True)
class General:
    """Something that holds for everybody: the kill switch, guardrails, a new model."""

    at_us: int
    words: str
    author: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """Everything that changed in ``days`` for the accounts that one person sees."""

    since_us: int
    happened: tuple[Happened, ...]
    happened_count: int
    risen: Part
    fallen: Part
    tightened: Part
    relaxed: Part
    due: tuple[Due, ...]
    general: tuple[General, ...]

    @property
    def nothing(self) -> bool:
        """Whether nothing at all has changed."""
        parts = (self.risen, self.fallen, self.tightened, self.relaxed)
        return not (self.happened or self.due or self.general or any(p.count for p in parts))


def changed(desk: Desk, accessible: AccessibleTenants, *, days: int = 1) -> Changed:
    """What changed in the last ``days`` (1..31)."""
    now_us = desk.now_us()
    since_us = now_us - days * DAY_US
    times = {"since": since_us, "now": now_us}
    with beside_ledger(desk.home, accessible) as beside:
        happened = _happened(beside, times)
        fresh = f"decided_us > {since_us}"
        turned = f"moved_us > {since_us} AND moved_us <= {now_us}"
        return Changed(
            since_us=since_us,
            happened=tuple(happened[: 3 * MOST]),
            happened_count=len(happened),
            risen=_part(beside, f"{fresh} AND churn - churn_before >= {MOVED}"),
            fallen=_part(beside, f"{fresh} AND churn_before - churn >= {MOVED}"),
            tightened=_part(beside, f"{turned} AND arm < coalesce(arm_before, 100)"),
            relaxed=_part(beside, f"{turned} AND arm > coalesce(arm_before, 100)"),
            due=_due(beside, now_us),
            general=_general(beside, times),
        )


def _happened(beside: Beside, times: dict[str, int]) -> list[Happened]:
    rows = beside.rows(
        "SELECT h.at_us, h.tenant_id, iif(standing.name = '', standing.tenant_id, standing.name), "
        f"h.kind, h.what, h.author, h.text FROM ({_HAPPENED}) h "
        "JOIN standing ON standing.tenant_id = h.tenant_id WHERE {scope} "
        "ORDER BY h.at_us DESC, h.tenant_id",
        times,
    )
    return [Happened(*row) for row in rows]


def _part(beside: Beside, condition: str) -> Part:
    where = f"WHERE {{scope}} AND left_us IS NULL AND {condition}"
    count = beside.rows(f"SELECT count(*) FROM standing {where}")[0][0]
    rows = beside.rows(
        f"SELECT {SELECTED} FROM standing LEFT JOIN usage u ON u.tenant_id = standing.tenant_id "
        f"{where} ORDER BY attention DESC, standing.tenant_id LIMIT {MOST}"
    )
    return Part(int(count), tuple(map(standing_of, rows)))


def _due(beside: Beside, now_us: int) -> tuple[Due, ...]:
    rows = beside.rows(
        "SELECT t.due_us, t.tenant_id, iif(standing.name = '', standing.tenant_id, standing.name), "
        "t.title, t.assignee FROM standing JOIN ledger.task_now t "
        "ON t.tenant_id = standing.tenant_id WHERE {scope} AND standing.open_tasks > 0 "
        "AND t.state = 'open' AND t.due_us <= :until ORDER BY t.due_us LIMIT :most",
        {"until": now_us + DAY_US, "most": MOST},
    )
    return tuple(Due(*row) for row in rows)


def _general(beside: Beside, times: dict[str, int]) -> tuple[General, ...]:
    rows = beside.rows(
        "SELECT at_us, iif(engaged, 'Kill switch turned on: every multiplier is ×1', "
        "'Kill switch turned off'), author, reason FROM ledger.kill_event "
        "WHERE at_us > :since AND at_us <= :now "
        "UNION ALL SELECT known_us, 'Setting changed: ' || name || ', version ' || version, "
        "author, reason FROM ledger.setting WHERE known_us > :since AND known_us <= :now "
        "AND version > 1 ORDER BY 1 DESC LIMIT 20",
        times,
    )
    return tuple(General(*row) for row in rows)
