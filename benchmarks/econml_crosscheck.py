"""Our average arm effects beside econml's, on the same exported table; econml is never served.

    $ python -m benchmarks.econml_crosscheck --python .econml/bin/python

On a simulated experiment whose truth is known and, with ``--real`` (many minutes), on the real
price experiment of ``../shared/data/kz_price_rct``. econml's pins differ from ours, so it lives in
an environment of its own; without one this says how to make it. Ends with 1 if an interval of ours
and econml's for the same arm and outcome do not meet.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from training.dataset import Floats
from training.estimators.design import design_of
from training.estimators.dose_learner import DoseLearner
from training.estimators.doubly_robust import DoublyRobustLearner
from training.estimators.estimator import Estimator
from training.estimators.table import EffectTable, table_of
from training.rehearsal import SEGMENTS, World, rehearse

#: Arm to (mean, low, high).
Arms = dict[str, list[float]]

SCRIPT = Path(__file__).with_name("econml_estimates.py")
HOW = """econml was not found. It lives in an environment of its own:

  python3 -m venv .econml && .econml/bin/pip install econml
  python -m benchmarks.econml_crosscheck --python .econml/bin/python"""
WORLD = World(
    tenants=2500, weeks=16, base=(0.05, 0.01, 0.03), upgrade_effect=0.3, churn_effect=0.15
)


def main(argv: list[str] | None = None) -> int:
    """Run it; 0 if every pair of intervals meets or there is no econml, 1 if not."""
    parser = argparse.ArgumentParser(prog="benchmarks.econml_crosscheck", description=__doc__)
    parser.add_argument("--python", default=sys.executable, help="interpreter that has econml")
    parser.add_argument("--real", action="store_true", help="also the real price experiment")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    asked = parser.parse_args(argv)
    if not _has_econml(asked.python):
        print(HOW)
        return 0
    apart = 0
    for title, table, truth in _tables(asked.data if asked.real else None):
        print(f"\n{title}: {len(table):,} draws, effects against {table.arms[table.neutral]}")
        theirs = _econml(asked.python, table)
        apart += _print(table, ours(table), theirs, truth)
    print(f"\n{apart} pairs of intervals do not meet" if apart else "\nEvery pair meets.")
    return int(apart > 0)


def _has_econml(python: str) -> bool:
    try:
        found = subprocess.run(
            [python, "-c", "import econml"], capture_output=True, check=False, timeout=300
        )
    except OSError:
        return False
    return found.returncode == 0


def _tables(data: Path | None) -> Iterator[tuple[str, EffectTable, Floats | None]]:
    dataset = rehearse(WORLD)
    table = table_of(dataset, SEGMENTS)
    per_dose = np.asarray([WORLD.upgrade_effect, 0.0, WORLD.churn_effect])
    yield "Simulated", table, _mean_dose(table)[:, None] * per_dose
    if data is None:
        return
    path = data / "kz_price_rct" / "kz_demandelasts_aer08.dta"
    if not path.is_file():
        print(f"Skipped: {path} is not there (openICPSR 113240).")
        return
    from benchmarks.real_price_experiment import load, spec
    from training.analysis.plain_table import plain_table

    yield "Real price experiment", plain_table(load(path), spec()).table, None


def _mean_dose(table: EffectTable) -> Floats:
    dose = table.subjects.dose
    return np.asarray((dose - dose[:, [table.neutral]]).mean(axis=0), dtype=np.float64)


def _surprise(table: EffectTable) -> Floats:
    """Assigned dose less what the draw led to expect, on the scale of ``mean_dose`` [n]."""
    dose = table.subjects.dose
    share = table.offered / table.offered.sum(axis=1, keepdims=True)
    drawn = dose[np.arange(len(table)), table.arm]
    return np.asarray(drawn - (share * dose).sum(axis=1), dtype=np.float64)


def ours(table: EffectTable) -> dict[str, dict[str, Arms]]:
    """Average effects of our default and of our doubly robust learner, per outcome and arm."""
    learners: tuple[Estimator, ...] = (DoseLearner(), DoublyRobustLearner())
    found: dict[str, dict[str, Arms]] = {name: {} for name in table.names}
    for learner in learners:
        effects = learner.fit(table).effects(table.subjects)
        mean, sd = effects.mean.mean(axis=0), effects.sd.mean(axis=0)
        for k, outcome in enumerate(table.names):
            found[outcome][f"ours, {learner.name}"] = {
                arm: [
                    float(mean[at, k]),
                    float(mean[at, k] - 1.96 * sd[at, k]),
                    float(mean[at, k] + 1.96 * sd[at, k]),
                ]
                for at, arm in enumerate(table.arms)
                if at != table.neutral and bool(effects.trust[:, at].any())
            }
    return found


def _econml(python: str, table: EffectTable) -> dict[str, dict[str, Arms]]:
    z = design_of(table, table.outcomes).standard(table.subjects)
    with tempfile.TemporaryDirectory(prefix="flyball-econml-") as folder:
        path = Path(folder) / "table.npz"
        np.savez(
            path,
            x=z,
            arm=table.arm,
            arms=np.asarray(table.arms),
            neutral=table.neutral,
            residual=_surprise(table),
            mean_dose=_mean_dose(table),
            outcomes=table.outcomes[:, table.binary],
            names=np.asarray([n for n, b in zip(table.names, table.binary, strict=True) if b]),
        )
        done = subprocess.run(
            [python, str(SCRIPT), str(path)], capture_output=True, check=False, text=True
        )
    if done.returncode:
        raise SystemExit(f"econml failed:\n{done.stderr.strip()[-2000:]}")
    found: dict[str, dict[str, Arms]] = json.loads(done.stdout)
    return found


def _print(
    table: EffectTable,
    mine: dict[str, dict[str, Arms]],
    theirs: dict[str, dict[str, Arms]],
    truth: Floats | None,
) -> int:
    """Print both in percentage points; how many pairs of intervals do not meet."""
    apart = 0
    for k, outcome in enumerate(table.names):
        if outcome not in theirs:
            continue
        for at, arm in enumerate(table.arms):
            if at == table.neutral:
                continue
            known = "" if truth is None else f"   truth {100.0 * truth[at, k]:+.3f}"
            print(f"  {outcome} under {arm}{known}")
            rows = {**mine[outcome], **theirs[outcome]}
            for name, arms in rows.items():
                if arm in arms:
                    mean, low, high = (100.0 * value for value in arms[arm])
                    print(f"    {name:<34} {mean:+8.3f} [{low:+.3f}, {high:+.3f}]")
            apart += sum(
                not _meet(one[arm], other[arm])
                for one in mine[outcome].values()
                for other in theirs[outcome].values()
                if arm in one and arm in other
            )
    return apart


def _meet(one: list[float], other: list[float]) -> bool:
    return one[1] <= other[2] and other[1] <= one[2]


if __name__ == "__main__":
    raise SystemExit(main())
