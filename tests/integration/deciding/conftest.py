"""A small home with accounts, plans and five weeks of hourly usage, filled through the stores."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from flyball.economics import Economics
from flyball.home import Home
from flyball.instant import DAY_US, HOUR_US, parse_instant
from flyball.plan import Limit, Plan
from flyball.tenant import Account
from flyball.usage import UsageEvent
from ledger.records import PlanEntry
from ledger.sqlite_ledger import SqliteLedger
from models.signature import create_keypair
from telemetry.sqlite_store import SqliteEventStore
from telemetry.store import KnownTenant

#: A Wednesday noon; its period began on Monday the 5th.
NOW_US = parse_instant("2026-01-07T12:00:00Z")
MONDAY_US = parse_instant("2026-01-05T00:00:00Z")
CREATED_US = NOW_US - 200 * DAY_US
TENANTS = tuple(f"ent_{number:02d}" for number in range(12))

Feed = Callable[..., None]


def plans() -> list[Plan]:
    """A starter and a pro plan, contract at 70 % of base."""
    return [
        Plan(
            plan=name,
            rank=rank,
            monthly_price_minor=price,
            currency="USD",
            primary_meter="api.requests",
            limits={"api.requests": Limit(base=base, contract=base * 7 // 10, per="hour")},
        )
        for name, rank, price, base in (("starter", 1, 10_000, 1_000), ("pro", 2, 50_000, 10_000))
    ]


def account(tenant: str, **changes: object) -> Account:
    values: dict[str, object] = {
        "tenant_id": tenant,
        "plan": "starter",
        "created_us": CREATED_US,
        "effective_us": CREATED_US,
        "known_us": CREATED_US,
        "segment": "smb",
        "aliases": (f"key-{tenant}",),
    }
    return Account(**{**values, **changes})  # type: ignore[arg-type]


def usage(tenant: str, number: int, at_us: int, quantity: float, arrived_us: int) -> UsageEvent:
    return UsageEvent(
        tenant_id=tenant,
        source="test",
        event_id=f"{tenant}-{at_us}-{number}",
        time_us=at_us,
        arrived_us=arrived_us,
        meter="api.requests",
        quantity=quantity,
    )


def feed(home: Home, events: list[UsageEvent]) -> None:
    """Take events in as the API does."""
    store = SqliteEventStore(home.events)
    try:
        store.append(events, lambda name: KnownTenant(name, CREATED_US))
    finally:
        store.close()


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that tests copy."""
    home = Home(tmp_path_factory.mktemp("filled") / "home")
    home.root.mkdir()
    create_keypair(home.signing_key, home.verify_key)
    with SqliteLedger(home.ledger) as ledger:
        ledger.import_plans([PlanEntry(plan=plan) for plan in plans()], now_us=CREATED_US)
        ledger.import_accounts([account(tenant) for tenant in TENANTS], now_us=CREATED_US)
        economics = Economics(unit_cost_minor={"api.requests": 0.0002})
        content = {
            "currency": economics.currency,
            "margin": economics.margin,
            "unit_cost_minor": dict(economics.unit_cost_minor),
        }
        ledger.put_setting("economics", content, author="test", now_us=CREATED_US)
    events = []
    for index, tenant in enumerate(TENANTS):
        for hour in range(35 * 24):
            at_us = NOW_US - (hour + 1) * HOUR_US
            level = 300 + 60 * index + 150 * math.sin(hour / 24 * 2 * math.pi)
            events.append(usage(tenant, 0, at_us, float(round(level)), at_us + HOUR_US // 2))
    feed(home, events)
    return home.root


@pytest.fixture
def home(filled: Path, tmp_path: Path) -> Home:
    shutil.copytree(filled, tmp_path / "home")
    return Home(tmp_path / "home")
