"""The import directory: what the vendor would hand to the product, and nothing latent."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from simulation.calendar_week import HOUR_US, date_text, first_hour, instant
from simulation.catalogue import (
    OWNERS,
    PLANS,
    REGION_CURRENCY,
    REGIONS,
    SEGMENTS,
    economics_document,
    meters_document,
    plans_document,
)
from simulation.delivery import INSTANT, SCHEMA, split_at, usage_of
from simulation.exploration import ARMS
from simulation.population import Population
from simulation.response import CHURN, DOWNGRADE, UPGRADE
from simulation.state import NEVER, base_limit, contract_percent, mrr_minor
from simulation.support import Ticket
from simulation.world import Week, World

_KIND = {UPGRADE: "upgraded", DOWNGRADE: "downgraded", CHURN: "churned"}
Row = dict[str, object]


class Exporter:
    """Writes one import directory after another for one world.

    What has not arrived by a directory's end (late events, closings of tickets) waits for the
    next one.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.transit = SCHEMA.empty_table()
        self.waiting: list[Ticket] = []
        self.told_accounts = 0

    def write(self, folder: Path, weeks: Iterable[Week], end_hour: int) -> int:
        """Write ``weeks`` as known at ``end_hour`` into ``folder``; returns the usage rows.

        ``weeks`` may be a generator: they are written as they are lived.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._documents(folder)
        rows = 0
        tables: dict[str, list[Row]] = {
            name: []
            for name in ("accounts", "subscriptions", "interventions", "tickets", "incidents")
        }
        decisions: list[pa.Table] = []
        carried = self.transit
        self.transit = SCHEMA.empty_table()
        for lived in weeks:
            self._small_tables(lived, tables)
            if lived.drawn is not None:
                decisions.append(decisions_of(lived, self._world.population))
            people = self._world.population
            usage = usage_of(
                lived,
                people.tenant_id,
                people.created_hour[: len(lived.arm)],
                self._world.setup.seed,
            )
            usage, late = split_at(pa.concat_tables([carried, usage]), end_hour)
            carried = SCHEMA.empty_table()
            self.transit = pa.concat_tables([self.transit, late])
            path = folder / f"usage-{date_text(lived.from_hour)}.parquet"
            pq.write_table(usage, path, compression="zstd")
            rows += usage.num_rows
        tables["tickets"] = self._tickets(end_hour)
        for name, held in tables.items():
            _write_small(folder, name, held)
        if decisions:
            pq.write_table(pa.concat_tables(decisions), folder / "decisions.parquet")
        return rows

    def _documents(self, folder: Path) -> None:
        for name, document in (
            ("plans", plans_document()),
            ("meters", meters_document()),
            ("economics", economics_document()),
        ):
            (folder / f"{name}.json").write_text(json.dumps(document, indent=2) + "\n")

    def _small_tables(self, lived: Week, tables: dict[str, list[Row]]) -> None:
        people = self._world.population
        ids = people.tenant_id
        count = len(lived.arm)
        for row in range(self.told_accounts, count):
            account = account_row(people, row, int(people.first_plan[row]))
            account["seats"] = int(people.seats[row])
            account["renewal_at"] = _instant_or_none(self._first_renewal(lived, row))
            tables["accounts"].append(account)
            tables["subscriptions"].append(_subscription(account, "started"))
        self.told_accounts = max(self.told_accounts, count)
        self._changes(lived, tables)
        self.waiting.extend(lived.tickets)
        tables["interventions"].extend(
            {"tenant_id": ids[row], "time": instant(hour), "kind": kind, "note": ""}
            for row, hour, kind in lived.interventions
        )
        if lived.incident is not None:
            outage = lived.incident
            tables["incidents"].append(
                {
                    "id": outage.id,
                    "from": instant(outage.from_hour),
                    "to": instant(outage.to_hour),
                    "scope": outage.scope,
                }
            )

    def _first_renewal(self, lived: Week, row: int) -> int:
        term = 365 * 24
        return int(lived.renewal_after[row]) - (term if lived.renewed[row] else 0)

    def _changes(self, lived: Week, tables: dict[str, list[Row]]) -> None:
        """New versions of accounts, and what happened to subscriptions."""
        people = self._world.population
        for row in np.flatnonzero((lived.outcome >= 0) | lived.renewed):
            outcome = int(lived.outcome[row])
            plan = int(lived.plan_after[row])
            account = account_row(people, row, plan)
            account["seats"] = int(lived.seats_after[row])
            account["renewal_at"] = _instant_or_none(int(lived.renewal_after[row]))
            if outcome >= 0:
                account["effective_at"] = instant(int(lived.outcome_hour[row]))
                tables["subscriptions"].append(_subscription(account, _KIND[outcome]))
            else:
                due = self._first_renewal(lived, row)
                account["effective_at"] = instant(due)
                tables["subscriptions"].append(_subscription(account, "renewed"))
            if outcome != CHURN:
                tables["accounts"].append(account)

    def _tickets(self, end_hour: int) -> list[Row]:
        """Tickets as known at the end; an open one is told again once it is closed."""
        ids = self._world.population.tenant_id
        told: list[Row] = []
        still: list[Ticket] = []
        for ticket in self.waiting:
            open_yet = ticket.closed_hour >= end_hour
            if open_yet:
                still.append(ticket)
            if ticket.opened_hour < end_hour:
                told.append(
                    {
                        "id": ticket.id,
                        "tenant_id": ids[ticket.row],
                        "opened_at": instant(ticket.opened_hour),
                        "severity": ticket.severity,
                        "closed_at": None if open_yet else instant(ticket.closed_hour),
                    }
                )
        self.waiting = still
        return told


def account_row(people: Population, row: int, plan: int) -> Row:
    """One version of an account on ``plan``, effective from its creation."""
    plans = np.repeat(people.first_plan[: row + 1], 1)
    plans[row] = plan
    own_base = int(base_limit(people, plans)[row])
    listed = PLANS[plan].requests_per_hour
    promised = int(contract_percent(people, plans)[row])
    special = own_base != listed or promised != 70
    region = tuple(REGIONS)[int(people.region[row])]
    created = instant(int(people.created_hour[row]))
    tenant = people.tenant_id[row]
    return {
        "tenant_id": tenant,
        "plan": PLANS[plan].name,
        "created_at": created,
        "name": f"{SEGMENTS[int(people.segment[row])].replace('_', ' ').title()} {tenant[4:]}",
        "owner": OWNERS[row % len(OWNERS)],
        "region": region,
        "segment": SEGMENTS[int(people.segment[row])],
        "parent_org": people.parent_org[row] or None,
        "mrr_minor": int(mrr_minor(people, plans)[row]),
        "currency": REGION_CURRENCY[region],
        "base_limit": own_base if special else None,
        "contract_limit": own_base * promised // 100 if special else None,
        "aliases": [f"key_{tenant[4:]}"],
        "effective_at": created,
    }


def _subscription(account: Row, kind: str) -> Row:
    return {
        "tenant_id": account["tenant_id"],
        "time": account["effective_at"],
        "kind": kind,
        "plan": account["plan"],
        "mrr_minor": 0 if kind == "churned" else account["mrr_minor"],
    }


def _instant_or_none(hour: int) -> str | None:
    return None if hour >= NEVER // 2 else instant(hour)


def decisions_of(lived: Week, people: Population) -> pa.Table:
    """The week's own decisions with their propensities; ``offered`` maps multipliers to them."""
    drawn = lived.drawn
    assert drawn is not None
    rows = np.flatnonzero(lived.here)
    ids = [people.tenant_id[row] for row in rows]
    names = [f"{arm / 100:.2f}" for arm in ARMS]
    offered = [
        json.dumps(
            {names[i]: round(float(p), 6) for i, p in enumerate(drawn.offered[row]) if p > 0}
        )
        for row in rows
    ]
    start_us = first_hour(lived.week) * HOUR_US
    return pa.table(
        {
            "decision_id": [f"sim-{lived.week}-{tenant}" for tenant in ids],
            "tenant_id": ids,
            "time": pa.array(np.full(len(rows), start_us)).cast(INSTANT),
            "multiplier": lived.arm[rows] / 100.0,
            "propensity": drawn.propensity[rows],
            "offered": offered,
            "policy": ["simulation"] * len(rows),
            "period_days": pa.array(np.full(len(rows), 7, dtype=np.int64)),
        }
    )


def _write_small(folder: Path, name: str, rows: list[Row]) -> None:
    """Accounts as NDJSON (aliases are lists), the rest as CSV; nothing where nothing happened."""
    if not rows:
        return
    if name == "accounts":
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / "accounts.ndjson").write_text(lines)
        return
    with (folder / f"{name}.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
