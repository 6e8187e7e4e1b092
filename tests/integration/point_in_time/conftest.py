"""A home with plans, accounts and records; raw events come from the tests."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from flyball.home import Home
from flyball.instant import DAY_US, HOUR_US, parse_instant
from flyball.plan import Limit, Plan
from flyball.tenant import Account
from flyball.usage import UsageEvent
from ledger.records import PlanEntry
from ledger.sqlite_ledger import SqliteLedger, read_ledger
from serving.relations import connect, features_at
from telemetry.history import seal
from telemetry.sqlite_store import SqliteEventStore
from telemetry.store import KnownTenant

#: A Thursday, half past ten: inside a day and inside an hour's arrivals.
AS_OF_US = parse_instant("2026-03-05T10:00:00Z")
CREATED_US = AS_OF_US - 400 * DAY_US
TENANTS = ("minute", "hour", "day", "month")
_METERS = ("api.requests", "api.blocked", "logins", "exports", "seats.active", "storage.bytes")


def _plan(per: str, rank: int) -> PlanEntry:
    limit = Limit(base=40, contract=28, per=per)
    return PlanEntry(
        plan=Plan(
            plan=per,
            rank=rank,
            monthly_price_minor=rank * 10_000,
            currency="USD",
            primary_meter="api.requests",
            limits={"api.requests": limit},
        )
    )


def _account(tenant: str) -> Account:
    return Account(
        tenant_id=tenant,
        plan=tenant,
        created_us=CREATED_US,
        effective_us=CREATED_US,
        known_us=CREATED_US,
        seats=20,
        segment="smb",
    )


def random_events(seed: int, *, days: int = 40, per_tenant: int = 250) -> list[UsageEvent]:
    """Events around the as-of time, some late, some after it."""
    rng = random.Random(seed)
    events = []
    for tenant in TENANTS:
        for number in range(per_tenant):
            # Repeats in the same minute fill limit windows.
            minute = rng.randrange((days + 2) * 24 * 6) * 10
            time_us = AS_OF_US - days * DAY_US + minute * 60_000_000 + rng.randrange(50_000_000)
            late = rng.choice((0, 0, 0, 5 * 60_000_000, 3 * HOUR_US, 2 * DAY_US))
            events.append(
                UsageEvent(
                    tenant_id=tenant,
                    source="gateway",
                    event_id=f"{tenant}-{number}",
                    time_us=time_us,
                    arrived_us=time_us + late,
                    meter=rng.choices(_METERS, weights=(8, 2, 2, 1, 1, 1))[0],
                    quantity=float(rng.randrange(1, 400)) / 8.0,
                )
            )
    return events


class Kit:
    """Feeds raw events into copies of one home and computes features from them."""

    as_of_us = AS_OF_US
    tenants = TENANTS
    random_events = staticmethod(random_events)

    def __init__(self, template: Path, scratch: Path) -> None:
        self._template = template
        self._scratch = scratch
        self._count = 0

    def home(self) -> Home:
        """A fresh copy of the home without usage."""
        self._count += 1
        root = self._scratch / f"home{self._count}"
        shutil.copytree(self._template, root)
        return Home(root)

    def feed(
        self,
        home: Home,
        batches: Iterable[Sequence[UsageEvent]],
        *,
        sealed_at_us: int | None = None,
    ) -> None:
        """Take batches in as the API does; then perhaps seal."""
        store = SqliteEventStore(home.events)
        try:
            for batch in batches:
                store.append(batch, lambda name: KnownTenant(name, CREATED_US))
        finally:
            store.close()
        if sealed_at_us is not None:
            seal(home, sealed_at_us)

    def features(self, home: Home, as_of_us: int = AS_OF_US) -> pa.Table:
        """The feature table of every tenant."""
        with (
            read_ledger(home) as ledger,
            connect(home, ledger, as_of_us=as_of_us) as connection,
        ):
            return features_at(connection, TENANTS, as_of_us // HOUR_US)

    def connection(self, home: Home, as_of_us: int) -> Any:
        """An open connection with every relation."""
        with read_ledger(home) as ledger:
            return connect(home, ledger, as_of_us=as_of_us)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("template") / "home"
    root.mkdir()
    with SqliteLedger(Home(root).ledger) as ledger:
        ledger.import_plans(
            [_plan(per, rank) for rank, per in enumerate(TENANTS, 1)], now_us=CREATED_US
        )
        ledger.import_accounts([_account(tenant) for tenant in TENANTS], now_us=CREATED_US)
    return root


@pytest.fixture
def kit(template: Path, tmp_path: Path) -> Kit:
    return Kit(template, tmp_path)
