"""A simulated vendor's logged weeks as training reads them, beside what it cannot know.

The world is lived twice with the same draws: once to be written and imported like anyone's data,
once to see before each week what every arm would block and lead to.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from commands.simulated_product import import_quietly
from commands.training_data import load_dataset
from flyball.arm import NEUTRAL
from flyball.home import Home
from flyball.instant import HOUR_US
from simulation import response
from simulation.calendar_week import first_hour
from simulation.cell import HISTORY_END
from simulation.exploration import ARMS
from simulation.history import write_history
from simulation.week import Setup
from simulation.world import World
from training.dataset import Dataset, Floats, Ints
from training.estimators.table import ALREADY_FEATURE


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedWorld:
    """Decisions drawn with logged propensities, and the truth about each.

    ``blocked`` [n, A] is the share of the week's demand that each arm would refuse (0 to 1), and
    ``chances`` [n, A, 3] the probability of each first outcome under it, in the order of
    :data:`training.outcome.OUTCOMES`. Arms are those of ``dataset``.
    """

    dataset: Dataset
    blocked: Floats
    chances: Floats

    def foreseen(self) -> Dataset:
        """The dataset of a vendor who knew beforehand what every arm would block."""
        neutral = self.dataset.arms.index(NEUTRAL)
        already = self.blocked[:, neutral]
        columns = {
            f"dose_{arm}": self.blocked[:, index] - already
            for index, arm in enumerate(self.dataset.arms)
        }
        rows = self.dataset.rows
        for name, values in {**columns, ALREADY_FEATURE: already}.items():
            rows = rows.set_column(rows.column_names.index(name), name, pa.array(values))
        return replace(self.dataset, rows=rows)


def logged_world(setup: Setup) -> LoggedWorld:
    """Live ``setup.weeks`` weeks, import them into a home for the moment, and look behind them.

    Raises
    ------
    ValueError
        There is no such family, or there are no series in ``setup.series``.
    """
    with tempfile.TemporaryDirectory(prefix="flyball-logged-") as folder:
        history = write_history(Path(folder) / "history", setup, HISTORY_END)
        home = Home(Path(folder) / "home")
        import_quietly(home, history.folder)
        dataset = load_dataset(home, HISTORY_END * HOUR_US)
    if dataset.arms != ARMS:
        raise ValueError(f"the home decides among {dataset.arms}, the simulator among {ARMS}")
    dataset = dataset.take(dataset.analysed())
    blocked, chances = _truth(setup, dataset.text("tenant_id"), dataset.start_hours())
    return LoggedWorld(dataset=dataset, blocked=blocked, chances=chances)


def _truth(setup: Setup, tenants: Sequence[str], hours: Ints) -> tuple[Floats, Floats]:
    """Blocked shares [n, A] and chances [n, A, 3] of the weeks that begin at ``hours`` [n]."""
    world = World.begin(setup)
    place = {name: row for row, name in enumerate(world.population.tenant_id)}
    rows = np.asarray([place[name] for name in tenants], dtype=np.int64)
    blocked = np.full((len(rows), len(ARMS)), np.nan)
    chances = np.full((len(rows), len(ARMS), 3), np.nan)
    for _ in range(setup.weeks):
        seen = world.foresight()
        now = np.flatnonzero(hours == first_hour(world.week))
        blocked[now] = seen.felt[rows[now]]
        for column in range(len(ARMS)):
            rates = world.family.rates(seen.situation, seen.felt[:, column])
            chances[now, column] = response.probabilities(rates)[rows[now]]
        world.step(brief=True)
    if not np.isfinite(blocked).all():
        raise ValueError("decisions begin within a week of the simulator")
    return blocked, chances
