"""The import directory: what the vendor would hand to the product, and nothing latent."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from simulation.accounts import Row, arrivals, changes
from simulation.calendar_week import HOUR_US, date_text, first_hour, instant
from simulation.catalogue import economics_document, meters_document, plans_document
from simulation.delivery import INSTANT, SCHEMA, split_at, usage_of
from simulation.exploration import ARMS
from simulation.population import Population
from simulation.support import Ticket, written_down
from simulation.week import Week
from simulation.world import World

_SMALL = ("accounts", "subscriptions", "interventions", "tickets", "incidents")


class Exporter:
    """Writes one import directory after another for one world.

    What is not known by a directory's end (late events, closings of tickets) waits for the next.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.transit = SCHEMA.empty_table()
        self.waiting: list[Ticket] = []
        self.told_accounts = 0

    def fork(self, world: World) -> Exporter:
        """One that goes on from here for ``world``, a fork of this one's."""
        other = Exporter(world)
        other.transit = self.transit
        other.waiting = list(self.waiting)
        other.told_accounts = self.told_accounts
        return other

    def write(self, folder: Path, weeks: Iterable[Week], end_hour: int) -> int:
        """Write ``weeks`` as known at ``end_hour`` into ``folder``; returns the usage rows.

        ``weeks`` may be a generator: each is written as it is lived, so that memory holds one.
        """
        folder.mkdir(parents=True, exist_ok=True)
        _documents(folder)
        tables: dict[str, list[Row]] = {name: [] for name in _SMALL}
        decisions: list[pa.Table] = []
        rows = 0
        for lived in weeks:
            self._small_tables(lived, tables, end_hour)
            if lived.drawn is not None:
                decisions.append(_decisions(lived, self._world.population))
            rows += self._usage(folder, lived, end_hour)
        tables["tickets"] = self._tickets(end_hour)
        for name, held in tables.items():
            _write_small(folder, name, held)
        if decisions:
            pq.write_table(pa.concat_tables(decisions), folder / "decisions.parquet")
        return rows

    def _usage(self, folder: Path, lived: Week, end_hour: int) -> int:
        people, seed = self._world.population, self._world.setup.seed
        created = people.created_hour[: len(lived.arm)]
        fresh = usage_of(lived, people.tenant_id, created, seed)
        told, self.transit = split_at(pa.concat_tables([self.transit, fresh]), end_hour)
        path = folder / f"usage-{date_text(lived.from_hour)}.parquet"
        pq.write_table(told, path, compression="zstd")
        return int(told.num_rows)

    def _small_tables(self, lived: Week, tables: dict[str, list[Row]], end_hour: int) -> None:
        people = self._world.population
        for accounts, subscriptions in (
            arrivals(people, lived, self.told_accounts),
            changes(people, lived),
        ):
            tables["accounts"].extend(accounts)
            tables["subscriptions"].extend(subscriptions)
        self.told_accounts = max(self.told_accounts, len(lived.arm))
        self.waiting.extend(lived.tickets)
        setup = self._world.setup
        logged = written_down(
            setup.seed, lived.week, lived.interventions, self._world.family.unlogged
        )
        tables["interventions"].extend(
            {"tenant_id": people.tenant_id[row], "time": instant(hour), "kind": kind, "note": ""}
            for row, hour, kind in logged
        )
        outage = lived.incident
        if outage is not None:
            over = instant(outage.to_hour) if outage.to_hour < end_hour else None
            tables["incidents"].append(
                {
                    "id": outage.id,
                    "from": instant(outage.from_hour),
                    "to": over,
                    "scope": outage.scope,
                }
            )

    def _tickets(self, end_hour: int) -> list[Row]:
        """Tickets as known at the end; an open one is told again once it is closed."""
        ids = self._world.population.tenant_id
        known = self.waiting
        self.waiting = [ticket for ticket in known if ticket.closed_hour >= end_hour]
        return [
            {
                "id": ticket.id,
                "tenant_id": ids[ticket.row],
                "opened_at": instant(ticket.opened_hour),
                "severity": ticket.severity,
                "closed_at": (
                    instant(ticket.closed_hour) if ticket.closed_hour < end_hour else None
                ),
            }
            for ticket in known
        ]


def _decisions(lived: Week, people: Population) -> pa.Table:
    """The week's own decisions with their propensities; ``offered`` maps multipliers to them."""
    drawn = lived.drawn
    if drawn is None:
        raise ValueError(f"week {lived.week} was not decided by the world")
    rows = np.flatnonzero(lived.here)
    ids = [people.tenant_id[row] for row in rows]
    names = [f"{arm / 100:.2f}" for arm in ARMS]
    offered = [
        json.dumps({n: round(float(p), 6) for n, p in zip(names, share, strict=True) if p > 0})
        for share in drawn.offered[rows]
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


def _documents(folder: Path) -> None:
    for name, document in (
        ("plans", plans_document()),
        ("meters", meters_document()),
        ("economics", economics_document()),
    ):
        (folder / f"{name}.json").write_text(json.dumps(document, indent=2) + "\n")


def _write_small(folder: Path, name: str, rows: list[Row]) -> None:
    """Accounts as NDJSON (aliases are lists), the rest as CSV; nothing where nothing happened."""
    if not rows:
        return
    if name == "accounts":
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / "accounts.ndjson").write_text(lines)
        return
    with (folder / f"{name}.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
