"""A history to start from: weeks with the world's own decisions, up to a given hour."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from simulation.calendar_week import first_hour, week_of
from simulation.export import Exporter
from simulation.truth import TruthLog
from simulation.week import Setup, Week
from simulation.world import World

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class History:
    """What was written where, and the world as it stands at its end."""

    folder: Path
    world: World
    exporter: Exporter
    truth: TruthLog


def write_history(
    folder: Path,
    setup: Setup,
    end_hour: int,
    progress: Progress = lambda done, total: None,
) -> History:
    """Write ``setup.weeks`` whole weeks and the begun one, ending at ``end_hour``.

    The begun week holds no decisions (m = 1): it is the product's to decide.
    """
    current = week_of(end_hour)
    setup = replace(setup, start_week=current - setup.weeks)
    world = World.begin(setup)
    exporter = Exporter(world)
    truth = TruthLog(world)

    def lived() -> Iterator[Week]:
        for number in range(setup.weeks):
            week = world.step()
            truth.add(week)
            progress(number + 1, setup.weeks)
            yield week
        begun = end_hour - first_hour(current)
        if begun:
            yield world.opening(begun)

    exporter.write(folder, lived(), end_hour)
    return History(folder, world, exporter, truth)
