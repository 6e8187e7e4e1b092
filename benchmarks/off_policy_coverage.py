"""Coverage of off-policy intervals: ``python -m benchmarks.off_policy_coverage``.

Each world draws organisations of random size with correlated tenants, decisions with known
probabilities, and a bounded outcome; the true value of the target policy, and of its difference
from always playing the neutral arm, is known to four digits. Where overlap is good, 95 % intervals
should cover the truth in 93 to 97 % of replications and the rule should refuse at most 10 % of
them; where it is bad, it should refuse.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from training.dataset import Floats, Ints
from training.off_policy.comparison import compare
from training.off_policy.estimator import Estimator
from training.off_policy.interval import IntervalKind
from training.off_policy.logged import LoggedBandit
from training.off_policy.overlap import Overlap, OverlapRule, Refused
from training.off_policy.value import Estimate, ValueSettings

ARMS, NEUTRAL = 5, 2
#: Organisations whose exact conditional values stand for the population.
TRUTH_ORGANISATIONS = 300_000
#: Effective events from which coverage is promised.
PROMISED_EVENTS = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """One population and one pair of policies.

    ``size``: mean accounts per organisation, spread by ``size_spread`` (of its logarithm);
    ``likeness``: how much accounts of one organisation share (standard deviation in log-odds);
    ``base``: log-odds of the outcome; ``floor``: least logged probability of an arm; ``tilt``: how
    unevenly the log explores; ``target``: how sharply the target prefers an arm, ``kept``: share of
    rows on which it plays neutral; ``money``: the outcome pays a random amount in 0 … 1;
    ``good``: whether overlap is meant to be good.
    """

    name: str
    organisations: int = 3000
    size: float = 1.0
    size_spread: float = 0.0
    likeness: float = 0.0
    base: float = -1.7
    floor: float = 0.2
    tilt: float = 0.0
    target: float = 2.0
    kept: float = 0.0
    forbidden: int = -1
    giant: float = 0.0
    money: bool = False
    good: bool = True


GOOD = (
    World(name="uniform log, single accounts"),
    World(name="clustered, random sizes", organisations=900, size=4.0, size_spread=1.0,
          likeness=1.0),
    World(name="few large organisations", organisations=120, size=30.0, size_spread=0.5,
          likeness=0.7),
    World(name="uneven log", organisations=2500, size=3.0, size_spread=0.7, likeness=0.7,
          floor=0.05, tilt=1.0),
    World(name="rare outcome", organisations=3500, size=4.0, size_spread=0.7, likeness=0.7,
          base=-3.6),
    World(name="rarely away from static", organisations=2500, size=4.0, size_spread=0.7,
          likeness=0.7, kept=0.7),
    World(name="bounded money", organisations=1500, size=4.0, size_spread=1.0, likeness=1.0,
          money=True),
)  # fmt: skip
#: Near the limits of the rule, where the normal approximation is weakest.
EDGE = (
    World(name="just enough events", organisations=500, size=3.0, size_spread=0.7, likeness=0.7),
    World(name="few organisations", organisations=45, size=40.0, size_spread=0.3, likeness=0.7),
    World(name="steep weights", organisations=2000, size=3.0, size_spread=0.7, likeness=0.7,
          floor=0.02, tilt=2.0, target=-1.0),
)  # fmt: skip
BAD = (
    World(name="wanted arm hardly logged", organisations=1500, size=3.0, floor=0.002, tilt=4.0,
          target=-6.0, good=False),
    World(name="wanted arm never logged", organisations=1500, size=3.0, forbidden=4, good=False),
    World(name="too few events", organisations=1500, base=-5.5, good=False),
    World(name="one giant organisation", organisations=300, size=4.0, likeness=1.0, giant=0.6,
          good=False),
)  # fmt: skip
#: For showing what the rule prevents.
IGNORED = OverlapRule(
    min_effective_rows=0.0, min_effective_events=0.0, min_tail_events=0.0,
    min_effective_organisations=0.0, max_row_share=1.0, max_organisation_share=1.0,
    max_unsupported=1.0,
)  # fmt: skip
WEIGHTED = (Estimator.IPS, Estimator.SNIPS, Estimator.DR, Estimator.SNDR, Estimator.SWITCH_DR)


@dataclass(frozen=True, slots=True)
class Draw:
    """One replication's rows, the target and baseline on them, and their exact expectations."""

    logged: LoggedBandit
    target: Floats
    baseline: Floats
    expected: Floats


def draw(world: World, generator: np.random.Generator) -> Draw:
    """Draw organisations, decisions and outcomes of ``world``."""
    cluster, shared = _organisations(world, generator)
    rows = len(cluster)
    need = generator.normal(size=rows) * 0.8 + 0.6 * shared
    offered = _logged_policy(world, need)
    target = _target(world, need)
    chance = _chance(world, need, shared)
    arm = (generator.random(rows)[:, None] > np.cumsum(offered, axis=1)).sum(axis=1)
    arm = np.minimum(arm, ARMS - 1).astype(np.int64)
    happened = generator.random(rows) < np.take_along_axis(chance, arm[:, None], 1)[:, 0]
    reward = happened * (generator.random(rows) if world.money else 1.0)
    scale = 0.5 if world.money else 1.0
    logged = LoggedBandit(
        reward=np.asarray(reward, dtype=np.float64),
        arm=arm,
        offered=offered,
        cluster=cluster,
        predicted=scale * _model(world, need),
        bounds=(0.0, 1.0),
    )
    return Draw(logged, target, logged.constant(NEUTRAL), scale * chance)


def _organisations(world: World, generator: np.random.Generator) -> tuple[Ints, Floats]:
    """Organisation of every row, and its shared level; large ones differ from small ones."""
    nature = generator.normal(size=world.organisations)
    spread = world.size_spread
    mean = world.size * np.exp(spread * nature - spread**2 / 2.0)
    whole = np.floor(mean + generator.random(world.organisations))
    sizes: Ints = np.maximum(1, whole).astype(np.int64)
    if world.giant:
        sizes[0] = int(world.giant / (1.0 - world.giant) * sizes[1:].sum())
    level = world.likeness * (0.5 * nature + 0.87 * generator.normal(size=world.organisations))
    cluster = np.repeat(np.arange(world.organisations), sizes)
    return cluster, level[cluster]


def _logged_policy(world: World, need: Floats) -> Floats:
    """Softmax exploration above a floor; ``floor`` 0.2 is uniform over five arms."""
    score = world.tilt * np.outer(need, np.linspace(-1.0, 1.0, ARMS))
    if world.forbidden >= 0:
        score[:, world.forbidden] = -np.inf
    odds = np.exp(score - score.max(axis=1, keepdims=True))
    table = odds / odds.sum(axis=1, keepdims=True)
    possible = odds > 0.0
    floor = world.floor * possible
    return np.asarray(floor + (1.0 - floor.sum(axis=1, keepdims=True)) * table)


def _target(world: World, need: Floats) -> Floats:
    """A soft preference for high arms where need is high; neutral on a share of rows by need."""
    odds = np.exp(world.target * np.outer(need, np.linspace(-1.0, 1.0, ARMS)))
    table = odds / odds.sum(axis=1, keepdims=True)
    if world.kept:
        neutral = np.zeros_like(table)
        neutral[:, NEUTRAL] = 1.0
        table = np.where((np.abs(need) < 1.04 * world.kept / 0.7)[:, None], neutral, table)
    return np.asarray(table)


def _chance(world: World, need: Floats, shared: Floats) -> Floats:
    steps = np.linspace(-1.0, 1.0, ARMS)
    log_odds = world.base + 0.5 * need + 0.7 * shared
    effect = 0.35 * np.outer(need, steps) - 0.25 * steps**2
    return np.asarray(1.0 / (1.0 + np.exp(-(log_odds[:, None] + effect))))


def _model(world: World, need: Floats) -> Floats:
    """An outcome model as found in practice: learned elsewhere, blind to organisations, biased."""
    log_odds = world.base + 0.1 + 0.4 * need
    wrong = 0.2 * np.outer(need, np.linspace(-1.0, 1.0, ARMS))
    return np.asarray(1.0 / (1.0 + np.exp(-(log_odds[:, None] + wrong))))


def truth(
    world: World, seed: int = 7, *, organisations: int = TRUTH_ORGANISATIONS
) -> tuple[float, float]:
    """True value of the target per row, and of its difference from the baseline."""
    generator = np.random.Generator(np.random.Philox(seed))
    accounts = max(1.0, world.size)
    many = replace(world, organisations=int(organisations / accounts**0.5), giant=0.0)
    found = draw(many, generator)
    value = float((found.target * found.expected).sum(axis=1).mean())
    return value, value - float(found.expected[:, NEUTRAL].mean())


@dataclass(slots=True)
class Tally:
    """How often intervals covered, and how often the rule spoke.

    ``refused`` counts replications with enough effective events that were refused all the same.
    """

    spoke: int = 0
    refused: int = 0
    enough: int = 0
    covered: int = 0
    above: int = 0
    below: int = 0
    width: float = 0.0

    def add(self, interval: tuple[float, float], true: float) -> None:
        """Count one interval that was reported."""
        low, high = interval
        self.spoke += 1
        self.covered += low <= true <= high
        self.above += true < low
        self.below += true > high
        self.width += high - low


def replicate(
    world: World,
    replications: int,
    seed: int,
    ways: Sequence[ValueSettings],
    *,
    truth_organisations: int = TRUTH_ORGANISATIONS,
) -> list[tuple[Tally, Tally]]:
    """For each way to estimate, on the same replications: tallies of the target's value and of its
    difference from the baseline."""
    true = truth(world, organisations=truth_organisations)
    tallies = [(Tally(), Tally()) for _ in ways]
    for index in range(replications):
        found = draw(world, np.random.Generator(np.random.Philox(key=[seed, index])))
        for way, pair in zip(ways, tallies, strict=True):
            compared = compare(found.logged, found.target, found.baseline, way)
            _note(pair[0], compared.policy, true[0])
            _note(pair[1], compared.difference, true[1])
    return tallies


def _note(tally: Tally, estimate: Estimate | Refused, true: float) -> None:
    enough = _enough(estimate.overlap)
    tally.enough += enough
    if isinstance(estimate, Refused):
        tally.refused += enough
    else:
        tally.add((estimate.low, estimate.high), true)


def _enough(found: Overlap | None) -> bool:
    return found is not None and found.effective_events >= PROMISED_EVENTS


def _line(world: World, what: str, settings: ValueSettings, tally: Tally, count: int) -> str:
    head = f"{world.name:<29}{what:<12}{settings.estimator.value:<11}{settings.interval.value:<10}"
    if not tally.spoke:
        return f"{head}refused {count} of {count}"
    cover = tally.covered / tally.spoke
    refused = tally.refused / max(1, tally.enough)
    silent = count - tally.spoke
    return (
        f"{head}covers {cover:7.1%}  true below {tally.above / tally.spoke:6.1%}"
        f"  true above {tally.below / tally.spoke:6.1%}  mean width {tally.width / tally.spoke:.4f}"
        f"  refused {silent} of {count}, of those with {PROMISED_EVENTS:g} events {refused:.1%}"
    )


def main() -> int:
    """Print the coverage table; 1 if a promise is broken."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.off_policy_coverage")
    parser.add_argument("--replications", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--bootstrap", action="store_true", help="measure the bootstrap as well")
    parser.add_argument("--ignore-rule", action="store_true", help="report whatever the overlap")
    parser.add_argument("--only", choices=[e.value for e in WEIGHTED], help="one estimator")
    parser.add_argument("--worlds", help="only worlds whose name holds this")
    chosen = parser.parse_args()
    kinds = [IntervalKind.T] + [IntervalKind.BOOTSTRAP] * chosen.bootstrap
    broken = 0
    rule = IGNORED if chosen.ignore_rule else OverlapRule()
    ways = [
        ValueSettings(estimator=estimator, interval=kind, draws=399, rule=rule)
        for kind in kinds
        for estimator in WEIGHTED
        if chosen.only in (None, estimator.value)
    ]
    for world in (*GOOD, *EDGE, *BAD):
        if chosen.worlds and chosen.worlds not in world.name:
            continue
        tallies = replicate(world, chosen.replications, chosen.seed, ways)
        for way, pair in zip(ways, tallies, strict=True):
            for what, tally in zip(("value", "difference"), pair, strict=True):
                print(_line(world, what, way, tally, chosen.replications), flush=True)
                broken += not _kept(world, tally, chosen.replications, way.interval)
    print(f"\n{broken} promises broken")
    return int(broken > 0)


def _kept(world: World, tally: Tally, count: int, kind: IntervalKind) -> bool:
    if kind is not IntervalKind.T:
        return True
    if not world.good:
        return tally.spoke <= 0.01 * count
    inside = 0.93 <= tally.covered / max(1, tally.spoke) <= 0.97
    return inside and tally.refused <= 0.1 * max(1, tally.enough)


if __name__ == "__main__":
    sys.exit(main())
