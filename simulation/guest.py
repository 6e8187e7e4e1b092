"""The product as a player: it decides each week, and hears what happened as files."""

from __future__ import annotations

import shutil
from pathlib import Path

from simulation.calendar_week import date_text, first_hour
from simulation.export import Exporter
from simulation.product import Product
from simulation.week import Week
from simulation.world import World


class Guest:
    """Plays a world through ``product``; import directories pass through ``folder``, one a week."""

    def __init__(self, product: Product, exporter: Exporter, folder: Path) -> None:
        self._product = product
        self._exporter = exporter
        self._folder = folder

    def choose(self, world: World) -> dict[str, int]:
        """The product's live decisions at the start of the week."""
        return self._product.arms(first_hour(world.week), world.present())

    def hear(self, world: World, week: Week) -> None:
        """Hand the week over and forget its files."""
        told = self._folder / f"week-{date_text(first_hour(week.week))}"
        self._exporter.write(told, [week], first_hour(world.week))
        self._product.take_in(told)
        shutil.rmtree(told)
