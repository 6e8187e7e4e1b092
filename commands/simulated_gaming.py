"""Tenants that game the product: every strategy plays the same closed loop as honesty does."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from commands.simulated_home import copied_home
from commands.simulated_policy import simulated_policy
from commands.simulated_product import InProcess
from flyball.home import Home
from simulation.disguise import quota_of, served_of
from simulation.guest import Guest
from simulation.history import History
from simulation.playing import play
from simulation.state import base_limit
from simulation.strategies import Response, Strategy, best_response, disguised, gamers
from simulation.week import Week
from simulation.world import World


class GamingSearch:
    """Searches for the strategy that earns most against one policy in one world."""

    def __init__(
        self,
        history: History,
        taught: Home,
        policy: str,
        weeks: int,
        work: Path,
        say: Callable[[str], None],
    ) -> None:
        self._history, self._taught, self._weeks = history, taught, weeks
        self._asked, self._work, self._say = simulated_policy(policy), work, say
        self._rows = gamers(history.world)
        self._played = 0

    @property
    def players(self) -> int:
        """How many tenants play."""
        return len(self._rows)

    def run(self) -> list[Response]:
        """Every strategy that was tried, the one that earns most first."""
        honest, quota = self._play(None)

        def gain_percent(strategy: Strategy) -> float:
            served, _ = self._play(strategy)
            return 100.0 * (served - honest) / quota

        return best_response(gain_percent)

    def _play(self, strategy: Strategy | None) -> tuple[float, float]:
        """Requests that those who play were served, and their quota, over all weeks."""
        self._played += 1
        label = "honest" if strategy is None else strategy.label
        world = self._history.world.fork()
        disguise = disguised(world, self._rows, strategy)
        root = self._work / f"gaming-{self._played}"
        home = copied_home(self._taught, root, self._asked)
        product = InProcess(home, self._asked.policy, root / "decisions.ndjson")
        guest = Guest(product, self._history.exporter.fork(world), self._work / "told")
        served = quota = 0.0

        def hear(lived: World, week: Week) -> None:
            nonlocal served, quota
            guest.hear(lived, week)
            served += served_of(disguise, week.demand, week.refused)
            quota += quota_of(base_limit(lived.population, week.plan_after), disguise)
            self._say(f"gaming, {label}: week {lived.week}")

        try:
            play(world, guest, self._weeks, hear)
        finally:
            shutil.rmtree(root)
        return served, quota
