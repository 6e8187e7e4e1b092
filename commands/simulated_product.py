"""The product inside one process: what `train`, `publish`, `decide` and `import` do, without them.

A simulated year is twenty-six decisions; starting a process for each would cost more than they do.
The simulator still sees files only: import directories in, a file of decisions out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from commands.simulation_tally import Tally
from flyball.home import Home
from flyball.instant import HOUR_US
from flyball.policy import Policy

_EXPERIMENT = "simulated"


def import_quietly(home: Home, folder: Path) -> None:
    """``flyball import``, saying nothing."""
    from rich.console import Console

    from commands.importing import run_import

    run_import(home, folder, Console(quiet=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    """What the one training of a world led to."""

    promoted: bool
    effects: str
    events: dict[str, int]
    gates: str


def learn(home: Home, as_of_us: int, *, seed: int) -> Learnt:
    """``flyball train`` and ``flyball publish``, as of a whole hour."""
    from commands.training_data import load_dataset, load_gates, load_stakes
    from features.catalogue import feature_hash
    from training.publisher import publish_champion
    from training.run import train

    dataset = load_dataset(home, as_of_us)
    # Without stakes the gates on the policy's value and harm would have nothing to say.
    result = train(
        dataset, home, seed=seed, settings=load_gates(home), stakes=load_stakes(home, as_of_us)
    )
    publish_champion(home, feature_hash())
    return Learnt(
        promoted=result.promoted,
        effects=result.effects.summary,
        events=dict(dataset.events()),
        gates=result.gates.status,
    )


def explore(
    home: Home, at_us: int, *, epsilon: float, holdout: float, family: str, seed: int
) -> None:
    """``flyball experiment start``, with a secret that follows from the world.

    Who explores what is then the same whenever a world is played again, as the world itself is. A
    generated secret alone moved ``value`` by a quarter of a percent of static's money where the
    policy chose 1 for everybody (``smooth``, 1,500 tenants, seed 1).
    """
    from ledger.sqlite_ledger import open_ledger

    named = f"{family} {seed}".encode()
    with open_ledger(home) as ledger:
        ledger.start_experiment(
            _EXPERIMENT,
            epsilon=epsilon,
            holdout_share=holdout,
            author="simulation",
            reason="effects stay measurable in the closed loop",
            now_us=at_us,
            secret=hashlib.blake2b(named, digest_size=32, person=b"flyball simulate").digest(),
        )


@dataclass(slots=True)
class InProcess:
    """Decides live for every tenant of ``home``, again and again."""

    home: Home
    policy: Policy
    decisions: Path
    tally: Tally = field(default_factory=Tally)
    _held: Any = field(default=None, repr=False)

    def arms(self, hour: int, tenants: Sequence[str]) -> dict[str, int]:
        """``flyball decide --mode live`` as of ``hour``, and the file that it writes."""
        from commands.decision_output import write_decisions
        from flyball.decision import Mode
        from ledger.sqlite_ledger import open_ledger
        from serving.clock import wall_us
        from serving.deciding import check_forward, current_bundle, decide_pass, log_pass
        from serving.rules import seed_guardrails
        from serving.settings import load_settings
        from simulation.product import read_decisions

        settings = load_settings(self.home.settings)
        as_of_us = hour * HOUR_US
        # Opened once: a signature is checked in a child process.
        self._held = self._held or (current_bundle(self.home, settings),)
        with open_ledger(self.home) as ledger:
            seed_guardrails(ledger, settings, wall_us())
            check_forward(ledger, as_of_us)
            done = decide_pass(
                self.home,
                ledger,
                settings,
                as_of_us=as_of_us,
                mode=Mode.LIVE,
                bundle=self._held[0],
                policy=self.policy,
            )
            made = log_pass(ledger, done, finished_us=wall_us())
        self.tally.add(made, done.outlooks, caution=settings.guardrails.harm_caution)
        write_decisions(made, str(self.decisions))
        known = read_decisions(self.decisions)
        return {tenant: known[tenant] for tenant in tenants if tenant in known}

    def watch(self, hour: int) -> None:
        """Look for harm as ``flyball watch`` does; what it would withdraw goes on, but is noted."""
        from ledger.acted_periods import acted_periods
        from ledger.sqlite_ledger import read_ledger
        from training.live_harm import look_for_harm

        if self.tally.weeks_to_detect_harm is not None:
            return
        with read_ledger(self.home) as ledger:
            periods = acted_periods(ledger, since_us=0, now_us=hour * HOUR_US)
        self.tally.looked(look_for_harm(periods).harmful)

    def take_in(self, folder: Path) -> None:
        """``flyball import``."""
        import_quietly(self.home, folder)
