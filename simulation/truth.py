"""What no product may see: latent traits and each arm's true chances. For tests and reports."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from simulation.calendar_week import first_hour, instant
from simulation.exploration import ARMS
from simulation.week import Week
from simulation.world import World

OUTCOMES = ("upgraded", "downgraded", "churned")


class TruthLog:
    """Collects the true chances of every decided week."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._tables: list[pa.Table] = []

    def add(self, lived: Week) -> None:
        """Keep one row per tenant and arm of a week."""
        rows = np.flatnonzero(lived.here)
        count, arms = len(rows), len(ARMS)
        ids = np.array(self._world.population.tenant_id)[rows]
        chances = lived.chances[rows].reshape(count * arms, 3)
        self._tables.append(
            pa.table(
                {
                    "tenant_id": np.repeat(ids, arms),
                    "time": [instant(first_hour(lived.week))] * (count * arms),
                    "arm": np.tile(np.array(ARMS), count),
                    "given": np.repeat(lived.arm[rows], arms) == np.tile(np.array(ARMS), count),
                    **{name: chances[:, i] for i, name in enumerate(OUTCOMES)},
                }
            )
        )

    def table(self) -> pa.Table:
        """``tenant_id, time, arm, given`` and the chance of each first outcome in that week."""
        return pa.concat_tables(self._tables)

    def write(self, folder: Path) -> None:
        """Write ``truth.json`` (setup, mean effects, traits) and ``potential.parquet``."""
        folder.mkdir(parents=True, exist_ok=True)
        table = self.table()
        pq.write_table(table, folder / "potential.parquet", compression="zstd")
        people = self._world.population
        document = {
            "setup": asdict(self._world.setup),
            "mean_effect_per_week": mean_effects(table),
            "traits": {
                name: getattr(people, name).round(4).tolist()
                for name in ("fragility", "dependence", "intent", "trend")
            },
        }
        (folder / "truth.json").write_text(json.dumps(document) + "\n")


def mean_effects(table: pa.Table) -> dict[str, dict[str, float]]:
    """Mean over tenant weeks of chance(arm) - chance(100), by arm and outcome."""
    arm: NDArray[np.int64] = table["arm"].to_numpy()
    result: dict[str, dict[str, float]] = {}
    for each in ARMS:
        result[str(each)] = {
            name: float(
                table[name].to_numpy()[arm == each].mean()
                - table[name].to_numpy()[arm == 100].mean()
            )
            for name in OUTCOMES
        }
    return result
