"""A small home with accounts, plans and five weeks of hourly usage, filled through the stores."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from features.catalogue import feature_hash, feature_names
from flyball.economics import Economics
from flyball.home import Home
from flyball.instant import DAY_US, HOUR_US, parse_instant
from flyball.plan import Limit, Plan
from flyball.tenant import Account
from flyball.usage import UsageEvent
from ledger.records import PlanEntry
from ledger.relations import limit_table
from ledger.sqlite_ledger import SqliteLedger
from models.bundle import write_bundle
from models.current import publish
from models.signature import create_keypair, load_private_key, load_public_key
from serving.control_loop import ControlLoop
from serving.snapshot.reader import SnapshotReader
from telemetry.history import seal
from telemetry.sqlite_store import SqliteEventStore
from telemetry.store import KnownTenant
from telemetry.tiles import Tiles
from tests.integration.deciding.looping import ALL_TIGHT, Clock
from training.export.draft import Training, draft_bundle, with_gates
from training.outcome_model import FittedOutcome, Linear

#: A Wednesday noon; its period began on Monday the 5th.
NOW_US = parse_instant("2026-01-07T12:00:00Z")
MONDAY_US = parse_instant("2026-01-05T00:00:00Z")
CREATED_US = NOW_US - 200 * DAY_US
TENANTS = tuple(f"ent_{number:02d}" for number in range(12))


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
    # As a home looks that has been running: sealed, and folded into tiles.
    seal(home, NOW_US)
    with SqliteLedger(home.ledger) as ledger:
        Tiles(home, limit_table(ledger)).refresh()
    return home.root


class Kit:
    """Times, tenants and ways to add to a home."""

    now_us = NOW_US
    monday_us = MONDAY_US
    tenants = TENANTS
    account = staticmethod(account)

    def spike(self, home: Home, tenant: str, at_us: int, quantity: float = 50_000.0) -> None:
        """A burst of requests, seen as it happens."""
        feed(home, [usage(tenant, 1, at_us, quantity, at_us)])


@pytest.fixture
def kit() -> Kit:
    return Kit()


@pytest.fixture
def home(filled: Path, tmp_path: Path) -> Home:
    shutil.copytree(filled, tmp_path / "home")
    return Home(tmp_path / "home")


@pytest.fixture(scope="session")
def made_bundle(tmp_path_factory: pytest.TempPathFactory, filled: Path) -> Path:
    """The signed bundle that is in use."""
    return make_bundle(tmp_path_factory.mktemp("bundle"), filled, "b1", MONDAY_US)


@pytest.fixture(scope="session")
def older_bundle(tmp_path_factory: pytest.TempPathFactory, filled: Path) -> Path:
    """A sound one from a week before."""
    return make_bundle(tmp_path_factory.mktemp("bundle"), filled, "b0", MONDAY_US - 7 * DAY_US)


def make_bundle(
    parent: Path,
    filled: Path,
    version: str,
    created_us: int,
    *,
    upgrade_effect: float = 0.02,
    churn_effect: float = 0.0,
    intercept: float = -3.0,
    gates: Sequence[Mapping[str, str]] = (),
    data_window: Mapping[str, object] | None = None,
) -> Path:
    """A signed bundle whose pooled effects favour 0.85 for everybody."""
    features = feature_names()
    linear = Linear(
        coef=np.full(len(features), 0.01),
        intercept=intercept,
        impute=np.zeros(len(features)),
        mean=np.zeros(len(features)),
        scale=np.full(len(features), 10_000.0),
    )
    arms = (70, 85, 100, 115, 130)
    mean = np.zeros((2, 5, 3))
    mean[:, 1, 0] = upgrade_effect
    mean[:, 1, 2] = churn_effect
    trust = np.ones((2, 5), dtype=np.int64)
    draft = draft_bundle(
        Training(
            version=version,
            created_us=created_us,
            as_of_us=MONDAY_US,
            features=features,
            feature_hash=feature_hash(),
            factor_groups={"usage": features},
            outcomes=[
                FittedOutcome("upgrade", "logistic", 0.05, linear=linear),
                FittedOutcome("downgrade", "none", 0.01, reason="too few"),
                FittedOutcome("churn", "logistic", 0.05, linear=linear),
            ],
            arms=arms,
            period_days=7,
            segments=("smb",),
            effect_mean=mean,
            effect_sd=np.full((2, 5, 3), 1e-4),
            effect_trust=trust,
            sample=np.zeros((8, len(features))),
            card="# Card\n",
            data_window=data_window or {},
        )
    )
    directory = parent / version
    gated = with_gates(draft, gates=gates)
    write_bundle(directory, gated, load_private_key(Home(filled).signing_key))
    return directory


@pytest.fixture
def trained(home: Home, made_bundle: Path) -> Home:
    """The home with a published bundle and a running experiment."""
    return with_experiment(home, made_bundle)


def with_experiment(home: Home, made_bundle: Path) -> Home:
    """Publish the bundle to the home, and start an experiment in it."""
    publish(made_bundle, home.bundles, load_public_key(home.verify_key), published_us=MONDAY_US)
    with SqliteLedger(home.ledger) as ledger:
        ledger.start_experiment(
            "trial",
            epsilon=0.05,
            holdout_share=0.1,
            author="test",
            reason="test",
            now_us=MONDAY_US - DAY_US,
            secret=b"0123456789abcdef",
        )
    return home


@pytest.fixture
def clock(kit: Kit) -> Clock:
    return Clock(kit.now_us)


@pytest.fixture
def loop(trained: Home, clock: Clock) -> Iterator[ControlLoop]:
    """A loop over the trained home that has not ticked yet."""
    with ControlLoop(trained, ALL_TIGHT, clock) as made:
        yield made


@pytest.fixture
def reader(trained: Home) -> SnapshotReader:
    """Reads what the loop publishes, under the kill switch."""
    return SnapshotReader(trained.snapshot, load_public_key(trained.verify_key), kill=trained.kill)
