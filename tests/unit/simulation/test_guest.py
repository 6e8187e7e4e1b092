from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from simulation.export import Exporter
from simulation.guest import Guest
from simulation.playing import play
from simulation.week import Setup
from simulation.world import World


@dataclass
class TightProduct:
    """Answers 70 for everybody, whatever the guardrails say, and remembers what it was told."""

    hours: list[int] = field(default_factory=list)
    told: list[list[str]] = field(default_factory=list)

    def arms(self, hour: int, tenants: Sequence[str]) -> dict[str, int]:
        self.hours.append(hour)
        return dict.fromkeys(tenants, 70)

    def take_in(self, folder: Path) -> None:
        self.told.append(sorted(path.name.split("-")[0] for path in folder.iterdir()))


def test_the_product_decides_and_hears_every_week_as_files(tmp_path: Path) -> None:
    world = World.begin(Setup(tenants=80, weeks=4, seed=2))
    product = TightProduct()
    guest = Guest(product, Exporter(world), tmp_path / "told")
    played = play(world, guest, 3, guest.hear)
    assert len(product.told) == 3
    assert "usage" in product.told[0]
    assert product.hours[1] - product.hours[0] == 168
    assert not list((tmp_path / "told").iterdir())
    # Nothing that the product decides is mended: it is counted against it.
    assert played.broken["step"] > 0
    assert played.broken["newcomer"] > 0
    assert (played.arm[0][played.here[0]] == 70).all()


def test_exporters_of_forks_do_not_share_what_is_on_its_way(tmp_path: Path) -> None:
    world = World.begin(Setup(tenants=80, weeks=4, seed=2))
    exporter = Exporter(world)
    exporter.write(tmp_path / "a", [world.step()], 10**7)
    world.opened_hours = 0
    other_world = world.fork()
    other = exporter.fork(other_world)
    assert other.told_accounts == exporter.told_accounts
    week = other_world.step({})
    other.write(tmp_path / "b", [week], week.from_hour + 1)
    assert other.transit.num_rows > exporter.transit.num_rows
