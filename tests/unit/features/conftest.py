"""A tiny world that tests write by hand: one row at a time, sensible defaults."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from features.executor import compute
from features.histories import FOLD_DAYS, append
from features.inputs import INPUTS, SHARE_BINS, SHARE_EDGES, create_inputs

#: A midnight.
AS_OF = 20_000 * 24


class World:
    """Input relations of one tenant, ``ent``, as of a midnight unless said otherwise."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        create_inputs(connection)

    def add(self, relation: str, **values: object) -> None:
        """One row; columns that are not given are NULL."""
        known = {"tenant_id": "ent", "meter": "api.requests"} | values
        append(connection=self.connection, relation=relation, rows=[
            tuple(known.get(name) for name in INPUTS[relation])
        ])  # fmt: skip

    def account(self, **values: object) -> None:
        """An account a year old with 1,000 requests a minute."""
        usual: dict[str, object] = {
            "effective_hour": AS_OF - 8_760, "known_hour": AS_OF - 8_760, "version": 1,
            "plan": "pro", "created_hour": AS_OF - 8_760, "organisation": "ent",
            "segment": "smb", "region": "eu", "base_limit": 1_000, "contract_limit": 700,
            "window_seconds": 60, "primary_meter": "api.requests",
        }  # fmt: skip
        self.add("account", **(usual | values))

    def usage(
        self,
        days_ago: float,
        quantity: float,
        *,
        meter: str = "api.requests",
        late_hours: int = 0,
        shares: tuple[float, ...] = (),
        value: float = 0.0,
        coarse: int = 0,
    ) -> None:
        """One hour tile ``days_ago`` days (whole hours) before the as-of midnight."""
        hour = AS_OF - round(days_ago * 24)
        bins = [[s for s in shares if _bin(s) == i] for i in range(SHARE_BINS)]
        self.add(
            "usage_hour", meter=meter, event_hour=hour, arrival_hour=hour + late_hours,
            event_count=1, quantity_sum=quantity, quantity_max=quantity, hour_peak=quantity,
            last_at_us=hour * 3_600_000_000, last_value=value, active_hours=1,
            window_count=len(shares), share_sum=sum(shares), share_peak=max(shares, default=0.0),
            coarse_count=coarse,
            **{f"share_count_{i}": len(each) for i, each in enumerate(bins)},
            **{f"share_sum_{i}": float(sum(each)) for i, each in enumerate(bins)},
        )  # fmt: skip

    def row(self, as_of_hour: int = AS_OF) -> dict[str, Any]:
        """The feature row of ``ent``."""
        self.connection.execute("DELETE FROM usage_day")
        self.connection.execute(FOLD_DAYS)
        self.connection.execute("DELETE FROM spine")
        self.connection.execute("INSERT INTO spine VALUES ('ent', ?)", [as_of_hour])
        found: list[dict[str, Any]] = compute(self.connection).to_pylist()
        return found[0]


def _bin(share: float) -> int:
    return sum(share >= edge for edge in SHARE_EDGES)


@pytest.fixture
def world() -> Iterator[World]:
    with duckdb.connect() as connection:
        yield World(connection)
