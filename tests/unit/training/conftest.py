"""Small relations in DuckDB, and a feature computation that needs none of the real features."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from features.inputs import create_inputs
from ledger.decision_log import SCHEMA
from training.dataset import Dataset, build_dataset

#: Monday 2025-01-06T00:00Z, in hours.
MONDAY = 482_256
WEEK = 168
HOUR_US = 3_600_000_000


class Relations:
    """Relations of a made-up home, filled row by row."""

    def __init__(self) -> None:
        self.connection: Any = duckdb.connect()
        names = ("usage_day", "account", "subscription", "decision")
        create_inputs(self.connection, only=names)
        columns = ", ".join(f"{f.name} {_sql_type(f.type)}" for f in SCHEMA)
        self.connection.execute(f"CREATE TABLE decision_log ({columns})")

    def decide(
        self,
        tenant: str,
        start: int = MONDAY,
        *,
        arm: int = 85,
        offered: str | None = '{"85":0.5,"100":0.5}',
        **changed: object,
    ) -> None:
        row = {
            "decision_id": f"d-{tenant}-{start}-{changed.get('known_hour', '')}",
            "tenant_id": tenant,
            "start_hour": start,
            "known_hour": start,
            "period_days": 7,
            "arm": arm,
            "propensity": 0.5,
            "offered": offered,
            "assignment": "drawn",
            "policy": "static",
            "continued": False,
            "mode": "live",
        } | changed
        marks = ", ".join("?" * len(row))
        self.connection.execute(f"INSERT INTO decision_log VALUES ({marks})", list(row.values()))

    def happen(self, tenant: str, hour: int, kind: str, *, known: int | None = None) -> None:
        self.connection.execute(
            "INSERT INTO subscription VALUES (?, ?, ?, ?, NULL, NULL, ?)",
            [tenant, hour, hour if known is None else known, kind, hour],
        )

    def dataset(self, as_of_hour: int = MONDAY + 10 * WEEK, **options: Any) -> Dataset:
        return build_dataset(
            self.connection,
            as_of_hour * HOUR_US,
            compute=fake_features,
            features=("level",),
            **options,
        )


def _sql_type(kind: pa.DataType) -> str:
    return {"string": "VARCHAR", "int64": "BIGINT", "double": "DOUBLE", "bool": "BOOLEAN"}[
        str(kind)
    ]


def fake_features(connection: Any) -> pa.Table:
    """One feature, a dose for two arms, and the context columns that training reads."""
    return connection.sql(
        "SELECT tenant_id, as_of_hour, 'pro' AS plan, 'smb' AS segment, 'org' AS organisation, "
        "CAST(50 AS DOUBLE) AS mrr, 0.3 AS blocked_85, 0.1 AS blocked_100, "
        "CAST(as_of_hour % 7 AS DOUBLE) AS level FROM spine ORDER BY tenant_id, as_of_hour"
    ).to_arrow_table()


@pytest.fixture
def relations() -> Iterator[Relations]:
    made = Relations()
    yield made
    made.connection.close()


@pytest.fixture
def new_relations() -> Iterator[Callable[[], Relations]]:
    made: list[Relations] = []

    def new() -> Relations:
        made.append(Relations())
        return made[-1]

    yield new
    for each in made:
        each.connection.close()
