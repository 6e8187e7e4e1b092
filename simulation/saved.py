"""A world kept on disk between weeks: setup, state, what is on its way, and the truth so far."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pyarrow.parquet as pq

from simulation.export import Exporter
from simulation.support import Ticket
from simulation.week import Setup
from simulation.world import World


def save(folder: Path, world: World, exporter: Exporter) -> None:
    """Write everything needed to live on; the folder must not lie in an import directory."""
    folder.mkdir(parents=True, exist_ok=True)
    world.state.save(folder / "state.npz")
    pq.write_table(exporter.transit, folder / "transit.parquet")
    document = {
        "setup": asdict(world.setup),
        "week": world.week,
        "opened_hours": world.opened_hours,
        "told_accounts": exporter.told_accounts,
        "waiting": [asdict(ticket) for ticket in exporter.waiting],
    }
    # Last, by rename: a world without it, or with an old one, is seen as such.
    beside = folder / "world.json.part"
    beside.write_text(json.dumps(document) + "\n")
    beside.replace(folder / "world.json")


def load(folder: Path) -> tuple[World, Exporter]:
    """Read what :func:`save` wrote; raises FileNotFoundError where there is no world."""
    path = folder / "world.json"
    if not path.is_file():
        raise FileNotFoundError(f"{folder} holds no world; write one with --out first.")
    document = json.loads(path.read_text())
    world = World.begin(Setup(**document["setup"]))
    world.state = type(world.state).load(folder / "state.npz")
    world.week = document["week"]
    world.opened_hours = document["opened_hours"]
    exporter = Exporter(world)
    exporter.transit = pq.read_table(folder / "transit.parquet")
    exporter.told_accounts = document["told_accounts"]
    exporter.waiting = [Ticket(**ticket) for ticket in document["waiting"]]
    return world, exporter
