"""One world of ``flyball simulate`` in one process: history, one training, every policy.

python -m commands.simulated_world SPEC.json PARENT_PROCESS
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from commands.child import end_with
from commands.simulated_gaming import GamingSearch
from commands.simulated_home import copied_home
from commands.simulated_policy import simulated_policy
from commands.simulated_product import InProcess, explore, import_quietly, learn
from flyball.home import Home
from flyball.instant import HOUR_US
from simulation.calendar_week import first_hour
from simulation.cell import HISTORY_END, WorldSpec, read_cell, write_cell
from simulation.figures import figures
from simulation.guest import Guest
from simulation.history import History, write_history
from simulation.players import Oracle, Static, player_named
from simulation.playing import Played, friction_free, play
from simulation.week import Week
from simulation.world import World

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What one process is to do; ``cells`` is where results go, ``work`` is emptied afterwards."""

    spec: WorldSpec
    policies: tuple[str, ...]
    cells: Path
    work: Path
    gamed: str = ""
    series: str = ""

    def missing(self) -> list[str]:
        """Policies without a result."""
        return [name for name in self.policies if read_cell(self.cells, self.spec, name) is None]

    def searching(self) -> bool:
        """Whether gaming has still to be searched for."""
        return bool(self.gamed) and read_cell(self.cells, self.spec, self.gaming_cell) is None

    @property
    def gaming_cell(self) -> str:
        """What the result of the search is kept as."""
        return f"gaming-{self.gamed}"

    def document(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {
            "spec": asdict(self.spec),
            "policies": list(self.policies),
            "cells": str(self.cells),
            "work": str(self.work),
            "gamed": self.gamed,
            "series": self.series,
        }

    @staticmethod
    def from_document(document: dict[str, Any]) -> Task:
        """What :meth:`document` made."""
        return Task(
            spec=WorldSpec(**document["spec"]),
            policies=tuple(document["policies"]),
            cells=Path(document["cells"]),
            work=Path(document["work"]),
            gamed=document["gamed"],
            series=document["series"],
        )


class SimulatedWorld:
    """A world and the comparisons that every policy's figures need."""

    def __init__(self, task: Task, say: Say) -> None:
        self._task, self._spec, self._say = task, task.spec, say
        self._learnt: dict[str, Any] = {}
        setup = self._spec.setup(task.series)
        say("history")
        self._history: History = write_history(task.work / "history", setup, HISTORY_END)
        if task.missing():
            self._static = play(self._history.world.fork(), Static(), self._spec.weeks)
            self._oracle = play(self._history.world.fork(), Oracle(), self._spec.weeks)

    def run(self) -> None:
        """Play every policy that has no result yet."""
        missing = self._task.missing()
        product = [name for name in missing if player_named(name) is None]
        for name in missing:
            if name not in product:
                self._own(name)
        if product or self._task.searching():
            home = self._taught()
            for name in product:
                self._guest(home, name)
            if self._task.searching():
                self._search(home)

    def _own(self, name: str) -> None:
        # As in the product: who does not explore holds nobody out either.
        holdout = self._spec.holdout if self._spec.epsilon > 0 else 0.0
        player = player_named(name, epsilon=self._spec.epsilon, holdout=holdout)
        if player is None:
            raise ValueError(f"{name} is not the simulator's own")
        known = {"static": self._static, "oracle": self._oracle}.get(name)
        began = time.process_time()
        played = known or play(self._history.world.fork(), player, self._spec.weeks)
        self._keep(name, played, {"cpu_s": time.process_time() - began}, {})

    def _taught(self) -> Home:
        """A home that has seen the history, been trained once and explores from now on."""
        home = Home(self._task.work / "home")
        at_us = HISTORY_END * HOUR_US
        self._say("import")
        import_quietly(home, self._history.folder)
        shutil.rmtree(self._history.folder)
        self._say("train")
        self._learnt = asdict(learn(home, at_us, seed=self._spec.seed))
        self._learnt["cpu_s"] = time.process_time()
        if self._spec.epsilon > 0:
            explore(
                home,
                at_us,
                epsilon=self._spec.epsilon,
                holdout=self._spec.holdout,
                family=self._spec.family,
                seed=self._spec.seed,
            )
        return home

    def _guest(self, taught: Home, name: str) -> None:
        """One of the product's policies, in a copy of the home."""
        root = self._task.work / f"home-{name}"
        asked = simulated_policy(name)
        home = copied_home(taught, root, asked)
        product = InProcess(home, asked.policy, root / "decisions.ndjson")
        world = self._history.world.fork()
        guest = Guest(product, self._history.exporter.fork(world), self._task.work / "told")
        last = world.week + self._spec.weeks

        def hear(lived: World, week: Week) -> None:
            guest.hear(lived, week)
            product.watch(first_hour(lived.week))
            self._say(f"{name}: {last - lived.week} weeks to go")

        began = time.process_time()
        try:
            played = play(world, guest, self._spec.weeks, hear)
        finally:
            shutil.rmtree(root)
        used = {"cpu_s": time.process_time() - began}
        self._keep(name, played, {**product.tally.figures(), **used}, self._learnt)

    def _search(self, taught: Home) -> None:
        """The strategies that earn most against one policy, best first."""
        search = GamingSearch(
            self._history, taught, self._task.gamed, self._spec.weeks, self._task.work, self._say
        )
        found = [
            {"strategy": each.strategy.label, "gain_percent": each.gain_percent}
            for each in search.run()
        ]
        label = self._task.gaming_cell
        figures = {"players": search.players, "strategies": found}
        write_cell(self._task.cells, self._spec, label, figures, self._learnt)

    def _keep(
        self, name: str, played: Played, more: dict[str, Any], learnt: dict[str, Any]
    ) -> None:
        free = friction_free(self._history.world.fork(), played)
        found = asdict(figures(played, self._static, self._oracle, free))
        write_cell(self._task.cells, self._spec, name, found | more, learnt)


def live(task: Task, say: Say) -> None:
    """Do the task; what it needed on disk is gone afterwards."""
    if not task.missing() and not task.searching():
        return
    shutil.rmtree(task.work, ignore_errors=True)
    task.work.mkdir(parents=True)
    task.cells.mkdir(parents=True, exist_ok=True)
    try:
        SimulatedWorld(task, say).run()
    finally:
        shutil.rmtree(task.work, ignore_errors=True)


def main(argv: Sequence[str]) -> int:
    """Entry point of the child process; each line it writes says what it is at."""
    end_with(int(argv[1]))
    # A tracking server of the user's has no business with simulated models.
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
        os.environ.pop(name, None)
    began = time.monotonic()

    def say(text: str) -> None:
        sys.stdout.write(f"{time.monotonic() - began:.0f} s: {text}\n")
        sys.stdout.flush()

    live(Task.from_document(json.loads(Path(argv[0]).read_text())), say)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
