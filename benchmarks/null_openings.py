"""How often the default learner sees what is not there: ``python -m benchmarks.null_openings``.

In a null experiment no arm does anything to anything; the learner may open something in at most 5 %
of them. Where arms do something, its 95 % intervals should cover that. Experiments are small and
made up (:mod:`benchmarks.small_experiment`), and expectations are everybody's mean: the test is as
good with any other that the row itself did not teach.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass, field

import numpy as np

from benchmarks.small_experiment import experiment, flat
from training.estimators.dose_effects import DoseEffects
from training.estimators.dose_learner import DoseLearner
from training.estimators.table import EffectTable
from training.plots.calibration import wilson

#: Share of null experiments in which something may open.
PROMISED = 0.05
QUICK_WORLDS, FULL_WORLDS = 100, 1_600
#: Experiments in which arms do something, for coverage; of those with many effects half as many.
COVERED_WORLDS = 100
#: With fewer an interval is too rough to break a promise.
FEWEST_WORLDS = 50
#: First seeds of null experiments, of those with one effect for all, and of those with many.
_NULL, _POOLED, _VARIED = 5_000, 1_000, 2_000
_STRIDE = 1_000_000


@dataclass(slots=True)
class Share:
    """How many of ``count`` did."""

    count: int = 0
    did: int = 0

    def add(self, done: bool) -> None:
        """Count one."""
        self.count += 1
        self.did += done

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval (1927)."""
        low, high = wilson(np.asarray([self.did / self.count]), np.asarray([float(self.count)]))
        return float(low[0]), float(high[0])

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.did / self.count:6.1%}  [{low:.1%}, {high:.1%}] of {self.count:,}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Openings:
    """What opened in null experiments: anything, and by outcome the pooled block or any other."""

    anything: Share = field(default_factory=Share)
    pooled: Share = field(default_factory=Share)
    other: Share = field(default_factory=Share)

    @property
    def broken(self) -> bool:
        """Whether more opens than chance alone could show if the promise held."""
        return self.anything.interval[0] > PROMISED


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Of experiments whose effects differ: which blocks opened, and how many rows were covered.

    ``rows`` has one share an experiment, because its rows share their errors.
    """

    segment: Share = field(default_factory=Share)
    personal: Share = field(default_factory=Share)
    rows: list[float] = field(default_factory=list)

    @property
    def mean(self) -> tuple[float, float]:
        """Mean share of rows covered, and its standard error (0 of one experiment)."""
        spread = float(np.std(self.rows, ddof=1)) if len(self.rows) > 1 else 0.0
        return float(np.mean(self.rows)), spread / float(np.sqrt(len(self.rows)))


def null_openings(worlds: int, *, seed: int = 0, tenants: int = 120) -> Openings:
    """Fit ``worlds`` experiments of ``tenants`` in which arms do nothing."""
    found = Openings()
    for index in range(worlds):
        fitted = _fitted(experiment(_NULL + seed * _STRIDE + index, tenants=tenants), index)
        opened = [set(outcome.opened) for outcome in fitted.outcomes]
        found.anything.add(any(opened))
        for blocks in opened:
            found.pooled.add("pooled" in blocks)
            found.other.add(bool(blocks - {"pooled"}))
    return found


def pooled_coverage(worlds: int, *, seed: int = 0, tenants: int = 300) -> Share:
    """Whether the pooled effect's interval covers one effect for all, by outcome."""
    covered, true = Share(), 0.2
    for index in range(worlds):
        made = _POOLED + seed * _STRIDE + index
        table = experiment(made, tenants=tenants, upgrade=true, churn=true)
        for outcome in _fitted(table, index).outcomes:
            found = outcome.pooled
            covered.add(abs(found.estimate - true) <= 1.96 * found.error)
    return covered


def row_coverage(worlds: int, *, seed: int = 0, tenants: int = 400) -> Coverage:
    """Whether intervals cover rows' own effects on churn, which differ by segment and feature."""
    found, slope = Coverage(), 0.3
    for index in range(worlds):
        made = _VARIED + seed * _STRIDE + index
        table = experiment(
            made, tenants=tenants, upgrade=0.2, churn=slope, segment_factor=-1.0, personal=slope
        )
        fitted = _fitted(table, index)
        churn = table.names.index("churn")
        opened = fitted.outcomes[churn].opened
        found.segment.add("segment" in opened)
        found.personal.add("personal" in opened)
        mean, sd = fitted.per_dose(table.subjects, churn)
        sign = np.where(table.subjects.segment == 1, -1.0, 1.0)
        true = slope * sign + slope * table.subjects.x[:, 0]
        found.rows.append(float((np.abs(mean - true) <= 1.96 * sd).mean()))
    return found


def _fitted(table: EffectTable, seed: int) -> DoseEffects:
    return DoseLearner(seed=seed).fit_residuals(table, flat(table))


def main(argv: list[str] | None = None) -> int:
    """Print openings and coverage; 1 if more opens than promised."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.null_openings",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--worlds", type=int, help=f"null experiments (default {QUICK_WORLDS})")
    parser.add_argument("--full", action="store_true", help=f"{FULL_WORLDS:,} worlds (minutes)")
    parser.add_argument("--seed", type=int, default=0, help="other worlds")
    asked = parser.parse_args(argv)
    worlds = asked.worlds or (FULL_WORLDS if asked.full else QUICK_WORLDS)
    if worlds < FEWEST_WORLDS or asked.seed < 0:
        parser.error(f"--worlds must be at least {FEWEST_WORLDS}, and --seed at least 0")
    return int(report(worlds, seed=asked.seed).broken)


def report(worlds: int, covered: int = COVERED_WORLDS, *, seed: int = 0) -> Openings:
    """Print what opened in ``worlds`` null experiments, and coverage in ``covered`` others (>= 2).

    Of those with many effects half as many are drawn.
    """
    began = time.perf_counter()
    null = null_openings(worlds, seed=seed)
    print("Null experiments of 120 tenants (95 % intervals)")
    print(f"  something opened      {null.anything}; promised: at most {PROMISED:.0%}")
    print(f"  pooled block opened   {null.pooled} outcomes")
    print(f"  other block opened    {null.other} outcomes", flush=True)
    print("One effect for all, 300 tenants")
    print(f"  its interval covers   {pooled_coverage(covered, seed=seed)} outcomes", flush=True)
    varied = row_coverage(covered // 2, seed=seed)
    mean, error = varied.mean
    print("Effects that differ by segment and by a feature, 400 tenants")
    print(f"  segment block opened  {varied.segment}")
    print(f"  personal block opened {varied.personal}")
    print(f"  rows' own covered     {mean:6.1%}  (standard error {error:.1%})")
    print("\nThe promise is broken." if null.broken else "\nThe promise is kept.")
    print(f"took {time.perf_counter() - began:.0f} s", file=sys.stderr)
    return null


if __name__ == "__main__":
    sys.exit(main())
