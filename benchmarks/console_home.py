"""A synthetic home as a console finds it after a quarter: accounts, usage, decisions, outcomes.

Everything goes in by the product's own import or the ledger's bulk methods, seeded by the number of
accounts, so that two runs at one size have the same home.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.reaction import publish_bundle
from commands.main import run
from console.access.passwords import hash_password
from flyball.decision import Assignment, Decision, Mode, decision_id
from flyball.home import Home
from flyball.instant import DAY_US
from ledger.sqlite_ledger import open_ledger
from ledger.users import EVERYTHING, UserRole

LOGIN, PASSWORD = "bench", "a pass phrase of the benchmark"
#: Weeks of decisions; what the portfolio compares.
WEEKS = 13
#: Days of usage, one event a day for each account: as many as an account's page shows.
USAGE_DAYS = 84

SEGMENTS = ("smb", "mid", "enterprise")
REGIONS = ("eu", "us", "apac")
OWNERS = 40
_PLANS = (("starter", 5_000, 600), ("pro", 20_000, 1_000), ("scale", 90_000, 5_000))
_FIRST = ("Amber", "Birch", "Copper", "Delta", "Ember", "Fjord", "Granite", "Harbour", "Indigo")
_SECOND = ("Analytics", "Bank", "Cargo", "Dental", "Energy", "Foods", "Games", "Health")
_ARMS = (70, 85, 100, 115, 130)
_TOML = """
[policy]
name = "value"
"""


def tenant(number: int) -> str:
    """The identifier of account ``number``, from 0."""
    return f"ent_{number}"


def name(number: int) -> str:
    """What account ``number`` is called."""
    first = _FIRST[number % len(_FIRST)]
    return f"{first} {_SECOND[number // len(_FIRST) % len(_SECOND)]} {number}"


def make_home(root: Path, accounts: int, now_us: int) -> Home:
    """A home with ``accounts`` accounts, a bundle, a person who may sign in, and a past.

    Raises
    ------
    RuntimeError
        The import refused its directory.
    """
    home = Home(root / "home")
    folder = root / "in"
    folder.mkdir()
    _write_plans(folder)
    _write_accounts(folder, accounts, now_us)
    _write_usage(folder, accounts, now_us)
    _write_outcomes(folder, accounts, now_us)
    if run(["--home", str(home.root), "import", str(folder)]) != 0:
        raise RuntimeError("the import failed")
    publish_bundle(home, root / "b1", now_us)
    with open_ledger(home) as ledger:
        ledger.append_decisions(past_decisions(accounts, now_us))
        ledger.add_user(
            LOGIN, role=UserRole.LEAD, sees=EVERYTHING, password=hash_password(PASSWORD),
            author="bench", now_us=now_us,
        )  # fmt: skip
    home.settings.write_text(_TOML)
    return home


def past_decisions(accounts: int, now_us: int) -> Iterator[Decision]:
    """One decision a week for each account over :data:`WEEKS`, all ended; a tenth is held out."""
    rng = np.random.default_rng(accounts)
    for week in range(WEEKS, 0, -1):
        start_us = now_us - week * 7 * DAY_US
        arms = rng.choice(_ARMS, accounts)
        chances = rng.beta(1, 12, (accounts, 2)).round(4)
        for number in range(accounts):
            held = number % 10 == 0
            arm = 100 if held else int(arms[number])
            base = _PLANS[number % len(_PLANS)][2]
            yield Decision(
                decision_id=decision_id(tenant(number), start_us, Mode.LIVE),
                tenant_id=tenant(number),
                organisation=tenant(number),
                mode=Mode.LIVE,
                assignment=Assignment.HOLDOUT if held else Assignment.DRAWN,
                period_start_us=start_us,
                period_days=7,
                decided_us=start_us,
                arm=arm,
                served_arm=arm,
                proposed_arm=arm,
                offered={100: 1.0} if held else dict.fromkeys(_ARMS, 0.2),
                propensity=1.0 if held else 0.2,
                reasons=("holdout",) if held else ("explored",),
                policy="value",
                model_version="b0",
                base_limit=base,
                contract_limit=base * 7 // 10,
                window_seconds=3_600,
                upgrade_probability=float(chances[number, 0]),
                churn_probability=float(chances[number, 1]),
            )


def _write_plans(folder: Path) -> None:
    plans = [
        {
            "plan": plan, "rank": rank, "monthly_price_minor": price, "currency": "USD",
            "primary_meter": "api.requests",
            "limits": {"api.requests": {"base": base, "contract": base * 7 // 10, "per": "hour"}},
        }
        for rank, (plan, price, base) in enumerate(_PLANS, start=1)
    ]  # fmt: skip
    (folder / "plans.json").write_text(json.dumps(plans))
    (folder / "economics.json").write_text(json.dumps({"currency": "USD", "margin": 0.8}))


def _stamps(values: np.ndarray) -> pa.Array:
    return pa.array(values.astype(np.int64)).cast(pa.timestamp("us", "UTC"))


def _write_accounts(folder: Path, accounts: int, now_us: int) -> None:
    numbers = np.arange(accounts)
    rng = np.random.default_rng(accounts + 1)
    table = {
        "tenant_id": [tenant(n) for n in range(accounts)],
        "name": [name(n) for n in range(accounts)],
        "plan": [_PLANS[n % len(_PLANS)][0] for n in range(accounts)],
        "segment": [SEGMENTS[n // 7 % len(SEGMENTS)] for n in range(accounts)],
        "region": [REGIONS[n // 11 % len(REGIONS)] for n in range(accounts)],
        "owner": [f"owner{n % OWNERS:02d}" for n in range(accounts)],
        "seats": rng.integers(1, 500, accounts),
        "mrr_minor": [_PLANS[n % len(_PLANS)][1] for n in range(accounts)],
        "currency": ["USD"] * accounts,
        "created_at": _stamps(now_us - (120 + numbers % 600) * DAY_US),
        "renewal_at": _stamps(now_us + (1 + numbers % 365) * DAY_US),
    }
    pq.write_table(pa.table(table), folder / "accounts.parquet")


def _write_usage(folder: Path, accounts: int, now_us: int) -> None:
    days = np.arange(1, USAGE_DAYS + 1)
    rng = np.random.default_rng(accounts + 2)
    table = {
        "id": np.repeat([f"u{day}" for day in days], accounts),
        "tenant_id": np.tile([tenant(n) for n in range(accounts)], len(days)),
        "time": _stamps(np.repeat(now_us - days * DAY_US, accounts)),
        "meter": ["api.requests"] * (accounts * len(days)),
        "quantity": rng.uniform(100, 1_500, accounts * len(days)).round(),
    }
    pq.write_table(pa.table(table), folder / "usage.parquet")


def _write_outcomes(folder: Path, accounts: int, now_us: int) -> None:
    """Of a hundred accounts two went up a plan and one went down within the weeks decided."""
    kinds = {3: ("upgraded", "pro"), 53: ("upgraded", "scale"), 77: ("downgraded", "starter")}
    who = [n for n in range(accounts) if n % 100 in kinds]
    told = [kinds[n % 100] for n in who]
    numbers = np.array(who, dtype=np.int64)
    table = {
        "tenant_id": [tenant(n) for n in who],
        "time": _stamps(now_us - (1 + numbers % (WEEKS * 7 - 2)) * DAY_US),
        "kind": [kind for kind, _ in told],
        "plan": [plan for _, plan in told],
        "id": [f"s{n}" for n in who],
    }
    pq.write_table(pa.table(table), folder / "subscriptions.parquet")
