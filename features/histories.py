"""Small random histories of every input relation, for checks, tests and examples.

Everything that features must cope with is in them: late arrivals, several account versions known
late, daily, monthly and missing limits, a change of the primary meter, gauges, closed and open
tickets, running incidents, tenants without an account.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from features.inputs import INPUTS, SHARE_BINS, SHARE_EDGES, create_inputs

_METERS = (
    "api.requests", "api.blocked", "logins", "exports", "ai.tokens", "db.reads", "storage.bytes",
    "seats.active", "integrations.active", "workflows.concurrent",
)  # fmt: skip
_WINDOWS = (60, 60, 60, 3_600, 86_400, 30 * 86_400)
_PLANS = ("free", "team", "scale")

Row = tuple[Any, ...]

#: Folds ``usage_hour`` into ``usage_day``, as the data model says.
FOLD_DAYS = f"""
INSERT INTO usage_day
SELECT tenant_id, meter, event_hour // 24, arrival_hour // 24, sum(event_count),
    sum(quantity_sum), max(quantity_max), max(hour_sum), max(last_at_us),
    max(last_value) FILTER (last_at_us = newest), count(DISTINCT event_hour), sum(window_count),
    sum(share_sum), max(share_peak),
    {", ".join(f"sum(share_count_{i})" for i in range(SHARE_BINS))},
    {", ".join(f"sum(share_sum_{i})" for i in range(SHARE_BINS))}, sum(coarse_count)
FROM (
    SELECT *, sum(quantity_sum) OVER (PARTITION BY tenant_id, meter, event_hour,
            arrival_hour // 24) AS hour_sum,
        max(last_at_us) OVER (PARTITION BY tenant_id, meter, event_hour // 24,
            arrival_hour // 24) AS newest
    FROM usage_hour
)
GROUP BY ALL
"""


@dataclass(slots=True)
class History:
    """Rows of every input relation but ``spine`` and ``usage_day``; lies in days 0..``days``-1.

    ``first_hour`` is the hour at which the history begins.
    """

    seed: int
    tenants: tuple[str, ...]
    first_hour: int
    days: int
    rows: dict[str, list[Row]] = field(default_factory=dict)

    @property
    def end_hour(self) -> int:
        """The hour after the last."""
        return self.first_hour + 24 * self.days

    def load(self, connection: Any) -> None:
        """Create the input relations in ``connection`` and fill them; ``spine`` stays empty."""
        create_inputs(connection)
        for relation, rows in self.rows.items():
            append(connection, relation, rows)
        connection.execute(FOLD_DAYS)


def append(connection: Any, relation: str, rows: list[Row]) -> None:
    """Add rows (in the contract's column order) to an input relation."""
    if not rows:
        return
    kinds = {"VARCHAR": pa.string(), "BIGINT": pa.int64(), "DOUBLE": pa.float64()}
    fields = [(name, kinds[kind]) for name, kind in INPUTS[relation].items()]
    arrays = [
        pa.array(column, type=kind)
        for column, (_, kind) in zip(zip(*rows, strict=True), fields, strict=True)
    ]
    table = pa.Table.from_arrays(arrays, names=[name for name, _ in fields])
    connection.register("flyball_appended", table)
    connection.execute(f"INSERT INTO {relation} SELECT * FROM flyball_appended")
    connection.unregister("flyball_appended")


def random_history(
    seed: int, *, tenants: int = 6, days: int = 40, first_hour: int = 19_000 * 24
) -> History:
    """A reproducible history of ``tenants`` tenants over ``days`` days; the first tenant has no
    account, the second no usage."""
    rng = random.Random(seed)  # noqa: S311 - test data, not secrets
    names = tuple(f"t{number:03d}" for number in range(tenants))
    history = History(seed, names, first_hour, days, {name: [] for name in INPUTS})
    history.rows.pop("usage_day")
    history.rows.pop("spine")
    _plans(history, rng)
    for number, tenant in enumerate(names):
        meter = "api.requests" if rng.random() < 0.8 else "ai.tokens"
        seconds = _WINDOWS[number % len(_WINDOWS)]
        if number != 0:
            _accounts(history, rng, tenant, meter, seconds)
        if number != 1:
            history.rows["usage_hour"] += _usage(history, rng, tenant, meter, seconds)
        _records(history, rng, tenant)
    _incidents(history, rng)
    return history


def _between(rng: random.Random, history: History) -> int:
    return rng.randrange(history.first_hour, history.end_hour)


def _late(rng: random.Random) -> int:
    return rng.choice((0, 0, 0, 0, 1, 3, 20, 60))


def _plans(history: History, rng: random.Random) -> None:
    for rank, plan in enumerate(_PLANS):
        begin = history.first_hour - 5_000
        history.rows["plan"].append((plan, begin, begin, 1, rank, 49.0 * rank))
        hour = _between(rng, history)
        history.rows["plan"].append((plan, hour, hour + _late(rng), 2, rank, 59.0 * rank))


def _accounts(history: History, rng: random.Random, tenant: str, meter: str, seconds: int) -> None:
    created = history.first_hour - rng.randrange(24, 9_000)
    hours = [created, *(_between(rng, history) for _ in range(rng.randrange(3)))]
    for version, hour in enumerate(hours, start=1):
        base = rng.choice((50, 1_000, 33_333))
        changed = version == 3 and meter != "logins"
        history.rows["account"].append(
            (
                tenant, hour, hour + (_late(rng) if version > 1 else 0), version,
                rng.choice(_PLANS), created, "org1" if rng.random() < 0.3 else "",
                tenant, rng.choice(("smb", "enterprise")), rng.choice(("eu", "us")),
                rng.choice((None, 5, 50)), rng.choice((None, 99.0, 12_000.0)),
                rng.choice((None, _between(rng, history) + 900)), base, base * 7 // 10, seconds,
                "logins" if changed else meter,
            )
        )  # fmt: skip


def _usage(
    history: History, rng: random.Random, tenant: str, meter: str, seconds: int
) -> list[Row]:
    folded: dict[tuple[str, int, int], Row] = {}
    for _ in range(history.days * 12):
        hour = _between(rng, history)
        name = rng.choices(_METERS, weights=(9, 2, 2, 1, 2, 1, 1, 1, 1, 1))[0]
        key = (name, hour, hour + _late(rng))
        folded[key] = _tile(rng, tenant, key, windows=name == meter and seconds <= 3_600)
    return list(folded.values())


def _tile(rng: random.Random, tenant: str, key: tuple[str, int, int], *, windows: bool) -> Row:
    name, hour, arrival = key
    count = rng.randrange(1, 6)
    quantity = float(rng.randrange(1, 10**6)) / 1024.0
    at_us = hour * 3_600_000_000 + rng.randrange(3_600_000_000)
    counts, sums, shares = [0] * SHARE_BINS, [0.0] * SHARE_BINS, [0.0]
    for _ in range(rng.randrange(1, 9) if windows else 0):
        share = rng.randrange(1, 2_500) / 1024.0
        chosen = sum(share >= edge for edge in SHARE_EDGES)
        counts[chosen] += 1
        sums[chosen] += share
        shares.append(share)
    coarse = sum(counts) if windows and rng.random() < 0.02 else 0
    return (
        tenant, name, hour, arrival, count, quantity, quantity, quantity, at_us,
        float(rng.randrange(10**6)), 1, sum(counts), sum(sums), max(shares), *counts, *sums, coarse,
    )  # fmt: skip


def _records(history: History, rng: random.Random, tenant: str) -> None:
    rows = history.rows
    for week in range(-12, history.days // 7 + 1):
        if rng.random() < 0.7:
            hour = history.first_hour + week * 168
            arm = rng.choice((70, 85, 100, 115, 130))
            rows["decision"].append((tenant, hour, hour, arm, 0.2, 7, "live"))
    for _ in range(rng.randrange(4)):
        hour = _between(rng, history)
        closed = rng.choice((None, hour + rng.randrange(1, 300)))
        severity = rng.choice(("low", "normal", "urgent"))
        rows["ticket"].append((tenant, hour, hour + _late(rng), severity, closed))
        rows["intervention"].append((tenant, hour, hour + _late(rng), "call"))
        kind = rng.choice(("upgraded", "downgraded", "renewed"))
        rows["subscription"].append((tenant, hour, hour + _late(rng), kind, "team", 49.0, 1))


def _incidents(history: History, rng: random.Random) -> None:
    scopes = (("all", ""), ("region", "eu"), ("tenant", history.tenants[-1]))
    for kind, scope in scopes:
        hour = _between(rng, history)
        end = rng.choice((None, hour + rng.randrange(1, 30)))
        history.rows["incident"].append((kind, scope, hour, end, hour + _late(rng)))
