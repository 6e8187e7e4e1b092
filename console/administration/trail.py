"""The audit: who did what, when and why; searched and exported.

Acts on accounts that the visitor does not see are left out, as everywhere.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from console.book.export import safe_cell
from console.design.display import iso
from console.standings.beside import Beside
from flyball.instant import DAY_US
from ledger.people import AuditEntry

SIZE = 50
#: No export is longer.
MOST = 100_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_PAGE = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailState:
    """What the audit is narrowed to; ``since`` and ``until`` are days (YYYY-MM-DD, both in)."""

    q: str = ""
    author: str = ""
    action: str = ""
    since: str = ""
    until: str = ""
    page: int = 1

    @property
    def query(self) -> str:
        """The query string without what is empty."""
        kept = {name: getattr(self, name) for name in ("q", "author", "action", "since", "until")}
        pairs = {name: value for name, value in kept.items() if value}
        return urlencode(pairs | ({"page": str(self.page)} if self.page > 1 else {}))

    def on_page(self, page: int) -> TrailState:
        """The same on another page."""
        return replace(self, page=max(1, page))

    @property
    def narrowed(self) -> bool:
        """Whether anything is left out."""
        return bool(self.on_page(1).query)


def trail_state(query: Mapping[str, str]) -> TrailState:
    """Read an address; what is not understood is left out."""
    page = query.get("page", "")
    number = int(page) if page.isascii() and page.isdigit() and len(page) < 6 else 1
    return TrailState(
        q=query.get("q", "").strip()[:120],
        author=query.get("author", "").strip()[:64],
        action=query.get("action", "").strip()[:64],
        since=_day(query.get("since", "")),
        until=_day(query.get("until", "")),
        page=min(max(1, number), _LAST_PAGE),
    )


def count(beside: Beside, state: TrailState) -> int:
    """How many acts there are."""
    where, bound = _condition(state)
    return int(beside.rows(f"SELECT count(*) FROM ledger.audit a WHERE {where}", bound)[0][0])


def entries(beside: Beside, state: TrailState, *, size: int = SIZE) -> list[AuditEntry]:
    """One page of acts, newest first."""
    where, bound = _condition(state)
    rows = beside.rows(
        "SELECT a.seq, a.at_us, a.author, a.action, a.target, a.reason, a.before, a.after "
        f"FROM ledger.audit a WHERE {where} ORDER BY a.seq DESC LIMIT :size OFFSET :skip",
        bound | {"size": size, "skip": (state.page - 1) * SIZE},
    )
    return [
        AuditEntry(
            entry_id=row[0], at_us=row[1], author=row[2], action=row[3], target=row[4],
            reason=row[5], before=row[6], after=row[7],
        )
        for row in rows
    ]  # fmt: skip


def choices(beside: Beside) -> tuple[list[str], list[str]]:
    """Authors and actions that occur."""
    found = (
        beside.rows(f"SELECT DISTINCT a.{column} FROM ledger.audit a WHERE {_SEEN} ORDER BY 1")
        for column in ("author", "action")
    )
    authors, actions = ([str(row[0]) for row in rows] for rows in found)
    return authors, actions


def csv_lines(found: list[AuditEntry]) -> Iterator[str]:
    """The acts as CSV that no spreadsheet can mistake for formulas."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(("time", "author", "action", "target", "reason", "before", "after"))
    for entry in found:
        texts = (entry.author, entry.action, entry.target, entry.reason, entry.before, entry.after)
        writer.writerow((iso(entry.at_us), *map(safe_cell, texts)))
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


_SEEN = """
(a.target NOT IN (SELECT tenant_id FROM ledger.account WHERE tenant_id = a.target)
 OR EXISTS (SELECT 1 FROM standing WHERE standing.tenant_id = a.target AND {scope}))
"""


def _condition(state: TrailState) -> tuple[str, dict[str, object]]:
    parts, bound = [_SEEN], dict[str, object]()
    for at, word in enumerate(state.q.casefold().split()[:6]):
        parts.append(
            "instr(lower(a.author || char(10) || a.action || char(10) || a.target || char(10) || "
            f"a.reason || char(10) || a.before || char(10) || a.after), :word_{at}) > 0"
        )
        bound[f"word_{at}"] = word
    for column in ("author", "action"):
        if getattr(state, column):
            parts.append(f"a.{column} = :{column}")
            bound[column] = getattr(state, column)
    if state.since:
        parts.append("a.at_us >= :since")
        bound["since"] = _start_us(state.since)
    if state.until:
        parts.append("a.at_us < :until")
        bound["until"] = _start_us(state.until) + DAY_US
    return " AND ".join(parts), bound


def _day(text: str) -> str:
    try:
        return datetime.strptime(text.strip(), "%Y-%m-%d").replace(tzinfo=UTC).date().isoformat()
    except ValueError:
        return ""


def _start_us(day: str) -> int:
    return (datetime.fromisoformat(day).replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
