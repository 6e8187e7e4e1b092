"""One result of a grid: a world, a policy, its figures; one file each, so that a grid resumes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from simulation.calendar_week import hour_of, week_of
from simulation.week import Setup

#: Hour at which a grid's histories end: far enough back that half a year more has passed anywhere.
HISTORY_END = hour_of("2025-06-02T00:00:00Z")
#: Raised where figures of an older version must not be mixed with ours.
FORMAT = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldSpec:
    """What fixes a world of the grid, and how the product lives in it.

    ``epsilon`` 0 means that the product does not explore in the closed loop. ``demand`` is
    ``generated``, or ``bootstrapped`` from real series.
    """

    family: str
    tenants: int
    seed: int
    history_weeks: int = 26
    weeks: int = 26
    epsilon: float = 0.05
    holdout: float = 0.1
    demand: str = "generated"

    @property
    def name(self) -> str:
        """For files and people."""
        return f"{self.family}-{self.tenants}-{self.seed}"

    def setup(self, series: str = "") -> Setup:
        """The world itself; ``series`` is the folder that bootstrapped demand is taken from."""
        return Setup(
            tenants=self.tenants,
            weeks=self.history_weeks,
            seed=self.seed,
            family=self.family,
            start_week=week_of(HISTORY_END) - self.history_weeks,
            spare_weeks=self.weeks,
            series=series,
        )


def cell_path(folder: Path, spec: WorldSpec, policy: str) -> Path:
    """Where the result of one policy in one world is kept."""
    return folder / f"{spec.name}-{policy}.json"


def write_cell(
    folder: Path, spec: WorldSpec, policy: str, figures: dict[str, Any], learnt: dict[str, Any]
) -> None:
    """Keep a result, whole or not at all."""
    path = cell_path(folder, spec, policy)
    document = {
        "format": FORMAT,
        **asdict(spec),
        "policy": policy,
        "figures": figures,
        "learnt": learnt,
    }
    part = path.with_suffix(".part")
    part.write_text(json.dumps(document) + "\n")
    part.replace(path)


def read_cell(folder: Path, spec: WorldSpec, policy: str) -> dict[str, Any] | None:
    """A result of exactly this world and format; None where there is none."""
    try:
        document: dict[str, Any] = json.loads(cell_path(folder, spec, policy).read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    same = all(document.get(name) == value for name, value in asdict(spec).items())
    return document if same and document.get("format") == FORMAT else None
