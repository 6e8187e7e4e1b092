"""Living on with a running service: decisions asked and usage posted over HTTP, week by week.

The service's clock must be that of the events (``flyball serve --clock events``): it moves on as
usage is posted.
"""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from simulation.bounds import violations
from simulation.calendar_week import HOUR_US, date_text, first_hour, instant
from simulation.delivery import INSTANT, usage_of
from simulation.exploration import NEUTRAL
from simulation.export import Exporter
from simulation.gateway import Gateway
from simulation.product import ProductFailed, arms_of
from simulation.world import World

_DECIDED_WITHIN_S = 120.0
_LOOK_S = 0.2
#: So many tenants are asked for one by one, as before a request, in each week.
_LOOKUPS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedWeek:
    """One week over HTTP: who was asked for, how they were decided, and what was posted.

    ``waited_s`` is from the week's first event to decisions for everybody who was there.
    """

    start: str
    tenants: int
    fresh: int
    friction: int
    overdraft: int
    violations: int
    waited_s: float
    posted: int


class ServiceLife:
    """A world before a service; ``take_in`` imports what no HTTP call is there for."""

    def __init__(
        self,
        world: World,
        exporter: Exporter,
        gateway: Gateway,
        take_in: Callable[[Path], None],
        folder: Path,
    ) -> None:
        self._world, self._exporter, self._gateway = world, exporter, gateway
        self._take_in, self._folder = take_in, folder
        self._before = world.state.arm.copy()

    def week(self) -> ServedWeek:
        """Live the current week under what the service says at its start."""
        world, gateway = self._world, self._gateway
        start = first_hour(world.week)
        posted = gateway.posted
        began = time.monotonic()
        gateway.post(self._first_hour())
        answers = self._decided(start)
        waited = time.monotonic() - began
        arms = arms_of(answers.values())
        for tenant in list(answers)[:_LOOKUPS]:
            found = gateway.decision(tenant)
            if found["decisionId"] != answers[tenant]["decisionId"]:
                raise ProductFailed(f"{tenant} was answered with two decisions of one week.")
        given = _by_row(world, arms, self._before)
        broken = sum(violations(world, given, self._before).values())
        self._before = given
        week = world.step(arms)
        told = self._folder / f"week-{date_text(start)}"
        self._exporter.write(told, [week], first_hour(world.week))
        self._tell(told)
        return ServedWeek(
            start=instant(start),
            tenants=len(answers),
            fresh=sum(each["source"] == "fresh" for each in answers.values()),
            friction=sum(arm < NEUTRAL for arm in arms.values()),
            overdraft=sum(arm > NEUTRAL for arm in arms.values()),
            violations=broken,
            waited_s=waited,
            posted=gateway.posted - posted,
        )

    def _first_hour(self) -> pa.Table:
        """Demand of the week's first hour, which no decision changes: it moves the clock on."""
        world = self._world
        fork = world.fork()
        week = fork.step({})
        people = world.population
        created = people.created_hour[: len(week.arm)]
        usage = usage_of(week, people.tenant_id, created, world.setup.seed)
        start = pa.scalar(first_hour(week.week) * HOUR_US, pa.int64()).cast(INSTANT)
        first = usage.filter(
            pc.and_(pc.equal(usage["time"], start), pc.equal(usage["meter"], "api.requests"))
        )
        present = pa.array(world.present(), pa.string())
        return first.filter(pc.is_in(first["tenant_id"], value_set=present))

    def _decided(self, hour: int) -> dict[str, dict[str, Any]]:
        """Everybody's decision of the week that starts at ``hour``."""
        tenants = self._world.present()
        deadline = time.monotonic() + _DECIDED_WITHIN_S
        while True:
            found = self._gateway.decisions(tenants)
            late = [t for t in tenants if _decided_at(found.get(t)) < instant(hour)]
            if not late:
                return found
            if time.monotonic() > deadline:
                raise ProductFailed(
                    f"{len(late)} of {len(tenants)} tenants had no decision of the week of "
                    f"{instant(hour)} after {_DECIDED_WITHIN_S:.0f} s, {late[0]} among them."
                )
            time.sleep(_LOOK_S)

    def _tell(self, folder: Path) -> None:
        """Accounts, subscriptions and usage over HTTP; the rest as an import directory."""
        accounts = folder / "accounts.ndjson"
        if accounts.exists():
            for line in accounts.read_text().splitlines():
                self._gateway.put_account(json.loads(line))
            accounts.unlink()
        subscriptions = folder / "subscriptions.csv"
        if subscriptions.exists():
            with subscriptions.open(newline="") as file:
                rows = [_typed(row) for row in csv.DictReader(file)]
            self._gateway.tell_subscriptions(rows)
            subscriptions.unlink()
        for path in sorted(folder.glob("usage-*.parquet")):
            usage = pq.read_table(path)
            self._gateway.post(usage.sort_by("time"))
            path.unlink()
        self._take_in(folder)


def _typed(row: dict[str, str]) -> dict[str, object]:
    return {**row, "mrr_minor": int(row["mrr_minor"])}


def _decided_at(answer: dict[str, Any] | None) -> str:
    """When an answer was decided, empty where it was not."""
    return "" if answer is None else str(answer.get("decidedAt") or "")


def _by_row(world: World, arms: dict[str, int], before: Any) -> Any:
    """Arms as ``[n]``, 100 for who has none."""
    given = before.copy()
    given[:] = NEUTRAL
    for row, tenant in enumerate(world.population.tenant_id):
        given[row] = arms.get(tenant, NEUTRAL)
    return given
