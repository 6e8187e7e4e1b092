"""``standings.sqlite``: how every tenant stands now, in one row each, followed from the ledger.

One process writes it (the console), its threads read it. It is derived from the ledger, the
explanations and the usage tiles, so its writes are not synced: lost, it is filled again.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import apsw

from console.access.tenants import AccessibleTenants
from console.standings.tables import DDL, FILL, GLOBAL_TABLES, TENANT_TABLES, TREND_WEEKS, VERSION
from flyball.home import Home
from flyball.instant import DAY_US, MINUTE_US
from flyball.limit import Limit
from ledger.explanations import FILE_VERSION
from ledger.sqlite_base import name_list
from ledger.sqlite_connection import storage_errors
from ledger.sqlite_ledger import SqliteLedger
from telemetry.weekly_usage import day_tile_names, weekly_usage

#: Time alone changes a row (a renewal comes near, an override expires): all are made anew then.
_ANEW_EVERY_US = 10 * MINUTE_US

_NO_WHY = """
CREATE TABLE why.explanation (
  tenant_id TEXT PRIMARY KEY, decision_id TEXT, revision INTEGER, as_of_us INTEGER, upgrade REAL,
  churn REAL, upgrade_factor TEXT, churn_factor TEXT
);
CREATE TABLE why.floor (tenant_id TEXT PRIMARY KEY, hundredths INTEGER, revision INTEGER)
"""


#: Tables of the explanations whose new rows touch the tenants they name.
_WHY = ("explanation", "floor")


class Standings:
    """The read model of one home.

    Parameters
    ----------
    home:
        Where ledger, explanations and usage lie, and the file itself.
    ledger:
        The home's ledger (plans and economics are read through it).
    now_us:
        The time that accounts and decisions are told against.
    """

    def __init__(self, home: Home, ledger: SqliteLedger, now_us: Callable[[], int]) -> None:
        self._home = home
        self._ledger = ledger
        self._now_us = now_us
        self._path = home.standings
        self._lock = threading.Lock()
        self._local = threading.local()
        self._heads: dict[str, int] = {}
        self._anew_us = 0
        self._usage_read: tuple[object, ...] = ()
        self._why: tuple[int, int] | None = None
        with storage_errors(self._path):
            self._writer = _create(self._path)
            self._attach()

    def close(self) -> None:
        """Close the writing connection; readers go with their threads."""
        with self._lock:
            self._writer.close()

    # Reading

    def rows(self, sql: str, bindings: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """All rows of one query over ``standing``, ``usage``, ``plan`` and ``meta``."""
        connection = getattr(self._local, "connection", None)
        if connection is None:
            with storage_errors(self._path):
                connection = apsw.Connection(str(self._path), flags=apsw.SQLITE_OPEN_READONLY)
                connection.set_busy_timeout(2_000)
                connection.pragma("cache_size", -32_000)
                connection.pragma("mmap_size", 1 << 28)
            self._local.connection = connection
        with storage_errors(self._path):
            found: list[tuple[Any, ...]] = connection.execute(sql, bindings).fetchall()
            return found

    def ids_among(self, accessible: AccessibleTenants, ids: Collection[str]) -> list[str]:
        """Those of ``ids`` that are accessible; the same statement whether they exist or not."""
        condition, bindings = accessible.condition()
        rows = self.rows(
            "SELECT tenant_id FROM standing WHERE tenant_id IN (SELECT value FROM json_each(?)) "
            f"AND {condition}",
            (name_list(ids), *bindings),
        )
        return [row[0] for row in rows]

    def meters(self) -> list[str]:
        """The meters that the accounts' plans are limited by."""
        return [row[0] for row in self.rows("SELECT DISTINCT meter FROM plan ORDER BY 1")]

    @property
    def currency(self) -> str:
        """The currency that annual amounts are told in."""
        return self._meta("currency") or "USD"

    @property
    def followed_us(self) -> int:
        """When the ledger was last looked at (µs, by the clock given); 0 before the first time."""
        return int(self._meta("followed_us") or 0)

    def _meta(self, name: str) -> str:
        rows = self.rows("SELECT value FROM meta WHERE name = ?", (name,))
        return str(rows[0][0]) if rows else ""

    # Following

    def follow(self) -> int:
        """Bring every touched row up to date; the number of rows made anew.

        Raises
        ------
        StorageError
            The ledger or the file cannot be read or written.
        """
        with self._lock, storage_errors(self._path):
            now_us = self._now_us()
            self._attach()
            heads = self._read_heads()
            everyone = (
                not self._heads
                or now_us - self._anew_us >= _ANEW_EVERY_US
                or any(heads[name] != self._heads[name] for name in GLOBAL_TABLES)
                or any(heads[name] < self._heads[name] for name in _WHY)
            )
            if not everyone and heads == self._heads:
                return 0
            with self._writer:
                touched = self._touch(everyone, heads)
                if everyone:
                    self._write_money(now_us)
                    self._writer.execute(
                        "DELETE FROM standing WHERE tenant_id NOT IN "
                        "(SELECT tenant_id FROM temp.touched)"
                    )
                    self._anew_us = now_us
                self._writer.execute(FILL, {"now": now_us})
                self._note("followed_us", str(now_us))
            self._heads = heads
            return touched

    def follow_usage(self) -> None:
        """Read the weeks of usage anew where they may have changed: seconds for large homes.

        So in the background only, and not again while the day and its tiles are the same.
        """
        now_us = self._now_us()
        known = [self._heads.get(name) for name in ("account", "plan")]
        read = (now_us // DAY_US, *known, day_tile_names(self._home))
        if read != self._usage_read:
            self._read_usage(now_us)
            self._usage_read = read
        self._follow_events()

    def _read_usage(self, now_us: int) -> None:
        found = weekly_usage(self._home, end_us=now_us, weeks=TREND_WEEKS)
        with self._lock, storage_errors(self._path):
            meters = dict(self._writer.execute("SELECT tenant_id, meter FROM standing"))
            last: dict[str, int] = {}
            weeks: dict[str, tuple[float, ...]] = {}
            for item in found:
                last[item.tenant_id] = max(last.get(item.tenant_id, 0), item.last_us)
                if meters.get(item.tenant_id) == item.meter:
                    weeks[item.tenant_id] = item.weeks
            with self._writer:
                self._writer.executemany(
                    "INSERT INTO usage VALUES (?, ?, ?, ?) ON CONFLICT (tenant_id) DO UPDATE SET "
                    "last_us = max(last_us, excluded.last_us), weeks = excluded.weeks, "
                    "trend = excluded.trend",
                    (
                        (name, at_us, _text(weeks.get(name, ())), _trend(weeks.get(name, ())))
                        for name, at_us in last.items()
                    ),
                )

    def _follow_events(self) -> None:
        """When tenants were last heard of in events that no tile has yet."""
        if not self._home.events.exists():
            return
        log = apsw.Connection(str(self._home.events), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            log.set_busy_timeout(2_000)
            seen = int(self._meta("events") or 0)
            newest = log.execute("SELECT coalesce(max(sequence), 0) FROM event").fetchall()[0][0]
            rows = log.execute(
                "SELECT tenant_id, max(time_us) FROM event WHERE sequence > ? AND sequence <= ? "
                "GROUP BY tenant_id",
                (seen, newest),
            ).fetchall()
        finally:
            log.close()
        with self._lock, self._writer:
            self._writer.executemany(
                "INSERT INTO usage VALUES (?, ?, '[]', NULL) ON CONFLICT (tenant_id) DO UPDATE SET "
                "last_us = max(last_us, excluded.last_us)",
                rows,
            )
            self._note("events", str(newest))

    def _attach(self) -> None:
        attached = {row[1] for row in self._writer.execute("PRAGMA database_list")}
        if "ledger" not in attached:
            self._writer.execute("ATTACH ? AS ledger", (_read_only(self._home.ledger),))
        path = self._home.explanations
        stamp = _stamp(path) if path.exists() else None
        if "why" in attached:
            if stamp == self._why:
                return
            self._writer.execute("DETACH why")
        self._why = stamp
        usable = stamp is not None and _version(path) == FILE_VERSION
        self._writer.execute("ATTACH ? AS why", (_read_only(path) if usable else ":memory:",))
        if not usable:
            self._writer.execute(_NO_WHY)
        self._heads = {}

    def _read_heads(self) -> dict[str, int]:
        parts = [
            f"(SELECT coalesce(max(seq), 0) FROM ledger.{table})"
            for table in (*TENANT_TABLES, *GLOBAL_TABLES)
        ]
        parts += [f"(SELECT coalesce(max(revision), 0) FROM why.{table})" for table in _WHY]
        row = self._writer.execute(f"SELECT {', '.join(parts)}").fetchall()[0]
        names = (*TENANT_TABLES, *GLOBAL_TABLES, *_WHY)
        return dict(zip(names, map(int, row), strict=True))

    def _touch(self, everyone: bool, heads: dict[str, int]) -> int:
        run = self._writer.execute
        run("CREATE TEMP TABLE IF NOT EXISTS touched (tenant_id TEXT PRIMARY KEY) WITHOUT ROWID")
        run("DELETE FROM temp.touched")
        if everyone:
            run("INSERT INTO temp.touched SELECT DISTINCT tenant_id FROM ledger.account")
        else:
            for table in TENANT_TABLES:
                if heads[table] > self._heads[table]:
                    run(
                        f"INSERT OR IGNORE INTO temp.touched SELECT tenant_id FROM ledger.{table} "
                        "WHERE seq > ? AND seq <= ?",
                        (self._heads[table], heads[table]),
                    )
            for table in _WHY:
                if heads[table] > self._heads[table]:
                    run(
                        f"INSERT OR IGNORE INTO temp.touched SELECT tenant_id FROM why.{table} "
                        "WHERE revision > ?",
                        (self._heads[table],),
                    )
        return int(run("SELECT count(*) FROM temp.touched").fetchall()[0][0])

    def _write_money(self, now_us: int) -> None:
        """Plans, and what one minor unit of each currency is worth in the reporting one."""
        plans = self._ledger.plans_as_of(now_us)
        economics = self._ledger.economics()
        run = self._writer.execute
        used = run("SELECT currency, count(*) FROM ledger.account GROUP BY 1 ORDER BY 2 DESC, 1")
        currencies = [row[0] for row in used]
        ours = economics.currency if economics else (currencies or ["USD"])[0]
        run("DELETE FROM plan")
        run("DELETE FROM rate")
        self._writer.executemany(
            "INSERT INTO plan VALUES (?,?,?,?,?,?,?,?)",
            [
                (
                    name, plan.rank, plan.monthly_price_minor, plan.currency, limit.base,
                    limit.contract, _window(limit), plan.primary_meter,
                )
                for name, plan in plans.items()
                for limit in (plan.primary_limit,)
            ],
        )  # fmt: skip
        for currency in {*currencies, *(plan.currency for plan in plans.values())}:
            factor = 1.0 if currency == ours else None
            if economics is not None:
                factor = economics.convert_minor(1.0, currency)
            run("INSERT INTO rate VALUES (?, ?)", (currency, factor))
        self._note("currency", ours)

    def _note(self, name: str, value: str) -> None:
        self._writer.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))


def _create(path: Path) -> Any:
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = apsw.Connection(
        str(path),
        flags=apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_URI,
    )
    connection.set_busy_timeout(5_000)
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", "off")
    connection.create_scalar_function("fold", _fold, 1, deterministic=True)
    if connection.pragma("user_version") != VERSION:
        with connection:
            tables = connection.execute(
                "SELECT name FROM sqlite_schema WHERE type = 'table'"
            ).fetchall()
            for (name,) in tables:
                connection.execute(f"DROP TABLE {name}")
            connection.execute(DDL)
            connection.pragma("user_version", VERSION)
    return connection


def _window(limit: Limit) -> str | None:
    """What a limit counts over, in a word; None for parallel work and for what is stored."""
    return None if limit.counting_seconds is None else limit.per


def _text(weeks: Sequence[float]) -> str:
    return json.dumps([round(week) for week in weeks])


def _trend(weeks: Sequence[float]) -> float | None:
    """The last four weeks against the four before, as a share; None without both."""
    before, now = sum(weeks[-8:-4]), sum(weeks[-4:])
    return now / before - 1.0 if before > 0.0 else None


def _fold(*texts: Any) -> str:
    return str(texts[0] or "").casefold()


def _read_only(path: Path) -> str:
    name = str(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    return f"file:{name}?mode=ro"


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_ino, _version(path)


def _version(path: Path) -> int:
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            return int(connection.pragma("user_version"))
        finally:
            connection.close()
    except apsw.Error:
        return -1
