"""False alarms and delay of confidence sequences: ``python -m benchmarks.sequence_errors``.

Every path is one organisation-period after another of weighted differences between two arms, looked
at after each. Under the null the two arms are equal; a sequence may ever exclude 0 in at most 5 %
of the paths. Under harm the first arm's outcome is more frequent, by as much as each stream says.
Sequences that are only approximate are told, and promise nothing.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from training.dataset import Bools, Floats
from training.off_policy.betting import log_wealth, log_wealth_above
from training.off_policy.sequence import asymptotic_sequence, bounded_sequence

ALPHA = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Outcome ``rate`` of each account, logged ``propensity`` of either arm, accounts per unit.

    ``first`` is the first arm's own propensity where it is another one; ``harm`` multiplies its
    rate on harmed paths.
    """

    name: str
    rate: float
    propensity: float = 0.2
    accounts: int = 1
    first: float = 0.0
    harm: float = 1.5

    @property
    def reach(self) -> float:
        """Largest size of a value."""
        return self.accounts / self.propensity

    @property
    def taken(self) -> float:
        """Propensity of the first arm."""
        return self.first or self.propensity


STREAMS = (
    Stream(name="frequent outcome", rate=0.2),
    Stream(name="weekly churn of 1 %", rate=0.01),
    Stream(name="1 %, five accounts each", rate=0.01, accounts=5),
    Stream(name="1 %, arms logged at 5 %", rate=0.01, propensity=0.05),
    # As it is live: what the policy wants is nearly always done.
    Stream(name="few kept as comparison", rate=0.005, propensity=0.1, first=0.76, harm=3.0),
)
Alarm = Callable[[Floats, Stream], Bools]


def _asymptotic(values: Floats, stream: Stream) -> Bools:
    return np.asarray(asymptotic_sequence(values, ALPHA, sides=1).low > 0.0)


def _exact(values: Floats, stream: Stream) -> Bools:
    reach = stream.reach
    found = bounded_sequence(values, ALPHA, lowest=-reach, highest=reach, sides=1)
    return np.asarray(found.low > 0.0)


def _betting(values: Floats, stream: Stream) -> Bools:
    wealth = log_wealth(values, 0.0, lowest=-stream.reach, highest=stream.reach)
    return np.asarray(wealth >= math.log(1.0 / ALPHA))


def _plain(values: Floats, stream: Stream) -> Bools:
    """What everyone does: a fixed-time bound, looked at again and again."""
    count = np.arange(1.0, values.shape[-1] + 1.0)
    mean = np.cumsum(values, axis=-1) / count
    square = np.cumsum(values**2, axis=-1) / count
    error = np.sqrt(np.maximum(square - mean**2, 0.0) / count)
    return np.asarray((mean > 1.645 * error) & (error > 0.0) & (count >= 100))


def _lowest_only(values: Floats, stream: Stream) -> Bools:
    """What the live watch does."""
    wealth = log_wealth_above(values, np.full(values.shape[-1], stream.reach))
    return np.asarray(wealth >= math.log(1.0 / ALPHA))


ALARMS: dict[str, Alarm] = {
    "asymptotic": _asymptotic,
    "empirical Bernstein": _exact,
    "betting": _betting,
    "betting, lowest only": _lowest_only,
    "plain interval, peeking": _plain,
}


#: Approximate at best: their false alarms are told, and break no promise.
UNPROMISED = (_asymptotic, _plain)


def paths(stream: Stream, count: int, length: int, seed: int, *, harm: float = 1.0) -> Floats:
    """Weighted differences ``[count, length]``; ``harm`` multiplies the first arm's rate."""
    generator = np.random.Generator(np.random.Philox(seed))
    total = np.zeros((count, length))
    for _ in range(stream.accounts):
        draw = generator.random((count, length))
        first = draw < stream.taken
        second = draw > 1.0 - stream.propensity
        chance = stream.rate * np.where(first, harm, 1.0)
        happened = generator.random((count, length)) < chance
        total += happened * (first / stream.taken - second / stream.propensity)
    return total


def main() -> int:
    """Print false alarms and delays; 1 if a sequence raises more false alarms than it may."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sequence_errors")
    parser.add_argument("--paths", type=int, default=1000)
    parser.add_argument("--length", type=int, default=20_000)
    chosen = parser.parse_args()
    # Three standard errors of a share of 5 %.
    most = ALPHA + 3.0 * math.sqrt(ALPHA * (1.0 - ALPHA) / chosen.paths)
    broken = 0
    for stream in STREAMS:
        for name, alarm in ALARMS.items():
            false, found, delay = _measured(stream, alarm, chosen.paths, chosen.length)
            after = f"after {delay:,.0f} units" if math.isfinite(delay) else "later than the end"
            told = f"found {found:6.1%}, half of them {after}"
            told = f"false alarms {false:6.1%}  harm x{stream.harm:g} {told}"
            print(f"{stream.name:<26}{name:<25}{told}", flush=True)
            broken += alarm not in UNPROMISED and false > most
    print(f"\n{broken} promises broken")
    return int(broken > 0)


def _measured(stream: Stream, alarm: Alarm, count: int, length: int) -> tuple[float, float, float]:
    """Share of null paths with an alarm, of harmed paths with one, and the median delay."""
    false, first = [], []
    for batch in range(0, count, 100):
        false.append(alarm(paths(stream, 100, length, batch), stream).any(axis=1))
        harmed = alarm(paths(stream, 100, length, 10**6 + batch, harm=stream.harm), stream)
        ever = harmed.any(axis=1)
        first.append(np.where(ever, harmed.argmax(axis=1) + 1.0, np.inf))
    delays = np.concatenate(first)
    delay = float(np.sort(delays)[len(delays) // 2])
    return float(np.concatenate(false).mean()), float(np.isfinite(delays).mean()), delay


if __name__ == "__main__":
    sys.exit(main())
