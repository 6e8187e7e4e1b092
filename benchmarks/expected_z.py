"""How well an experiment can tell what arms do: ``python -m benchmarks.expected_z``.

Simulated worlds know every tenant's true chances under every arm. So the z that the test of one
effect per unit of dose would show on average, over all outcomes that might have come of the logged
draws, is known without noise, for each way to say how much of an arm is felt:

- ``arm``: how far it is from 1, the same for everybody;
- ``difference``: the predicted dose, which is the difference between two blocked shares;
- ``bent difference``: the same, bent (less and less is felt of each further bit);
- ``bent total``: what is felt of it on top of what is refused anyway. This is what is learned from;
- ``true shares``: the same, had every blocked share been known beforehand.

Half of the experiments with an expected z of 2.5 show more than that, and half show less.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.logged_world import LoggedWorld, logged_world
from flyball.arm import NEUTRAL
from simulation.cell import WorldSpec
from simulation.responses.families import FAMILIES
from simulation.series import shapes_in
from training.dataset import Bools, Floats
from training.estimators.table import EffectTable, kept_rows, table_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One way to say what is felt: a table of draws, and the true chances [n, A, K] in it."""

    name: str
    table: EffectTable
    chances: Floats

    def z(self, rows: Bools | None = None) -> Floats:
        """Expected z of one effect per unit of what is felt, by outcome [K]; 0 where nothing is.

        The score of a row is its surprise in dose times its outcome. Outcomes are rare and effects
        small, so its variance is that under the logged propensities with no effect at all.
        """
        table = self.table if rows is None else self.table.take(rows)
        chances = self.chances if rows is None else self.chances[rows]
        share = table.offered / table.offered.sum(axis=1, keepdims=True)
        score = np.einsum("na,nak->k", share * table.centred, chances)
        noise = np.einsum("na,nak->k", share * table.centred**2, chances)
        # What no arm changes gives sums of rounding errors.
        told = np.abs(score) > 1e-9 * np.einsum("na,nak->k", share * np.abs(table.centred), chances)
        return np.asarray(np.where(told, score, 0.0) / np.sqrt(np.maximum(noise, 1e-300)))

    def best_segments(self) -> list[tuple[str, float]]:
        """The segment that tells most about each outcome, and its expected z."""
        codes, names = self.table.subjects.segment, self.table.segments
        by_segment = np.stack([self.z(codes == code) for code in range(len(names))])
        best = np.abs(by_segment).argmax(axis=0)
        return [(names[row], float(by_segment[row, k])) for k, row in enumerate(best)]


def ways(world: LoggedWorld, half_felt: Sequence[float] = ()) -> Iterator[Seen]:
    """Every way to say what is felt of an arm, in the order of this module's description.

    ``half_felt`` are further blocked shares of which half counts (> 0), for more bent totals.
    """
    segments = tuple(sorted(set(world.dataset.text("segment"))))
    table, chances = table_of(world.dataset, segments), world.chances[kept_rows(world.dataset)]
    plain = replace(table.subjects, already=None)
    away = (NEUTRAL - np.asarray(world.dataset.arms, dtype=np.float64)) / 100.0
    arm = replace(plain, dose=np.broadcast_to(away, table.subjects.dose.shape))
    tables = {
        "arm": replace(table, subjects=arm, half_felt=math.inf),
        "difference": replace(table, subjects=plain, half_felt=math.inf),
        "bent difference": replace(table, subjects=plain),
        "bent total": table,
        **{f"bent total, {h:g}": replace(table, half_felt=h) for h in half_felt},
    }
    for name, each in tables.items():
        yield Seen(name=name, table=each, chances=chances)
    foreseen = world.foreseen()
    known = world.chances[kept_rows(foreseen)]
    yield Seen(name="true shares", table=table_of(foreseen, segments), chances=known)


def report(spec: WorldSpec, series: str = "", half_felt: Sequence[float] = ()) -> None:
    """Print the expected z of one world."""
    began = time.perf_counter()
    world = logged_world(spec.setup(series))
    held_out = ", a family that nothing is tuned on" if FAMILIES[spec.family].held_out else ""
    print(f"\n{spec.family}, {spec.tenants:,} tenants, seed {spec.seed}{held_out}")
    for seen in ways(world, half_felt):
        if seen.name == "arm":
            names = seen.table.names
            expected = seen.chances[:, seen.table.neutral].sum(axis=0)
            events = ", ".join(f"{e:.0f} {n}s" for e, n in zip(expected, names, strict=True))
            print(f"{len(seen.table):,} draws that can be felt; at 1 they would bring {events}")
            heads = "".join(f"{name + ' (best segment)':<30}" for name in names)
            print(" " * 18 + heads.rstrip())
        cells = zip(seen.z(), seen.best_segments(), strict=True)
        told = "".join(f"{z:z5.2f} {f'({most:z.2f} {who})':<24}" for z, (who, most) in cells)
        print(f"{seen.name:<18}{told}".rstrip(), flush=True)
    print(f"took {time.perf_counter() - began:.0f} s", file=sys.stderr)


def main(argv: list[str] | None = None) -> int:
    """Print the expected z of every world asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.expected_z",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--families", default="smooth", help="comma-separated, or all")
    parser.add_argument("--tenants", default="600", help="sizes, comma-separated")
    parser.add_argument("--seed", type=int, default=101, help="one that no grid uses")
    parser.add_argument("--series", default="", help="folder of real series to shape demand by")
    parser.add_argument(
        "--half-felt", type=float, nargs="*", default=[], help="other bends (product: 0.07)"
    )
    asked = parser.parse_args(argv)
    families = list(FAMILIES) if asked.families == "all" else asked.families.split(",")
    unknown = sorted(set(families) - set(FAMILIES))
    if unknown:
        parser.error(f"no family {', '.join(unknown)}; take some of {', '.join(FAMILIES)}, or all")
    sizes = asked.tenants.split(",")
    if not all(size.isdecimal() and int(size) >= 50 for size in sizes):
        parser.error("--tenants takes whole numbers of at least 50, separated by commas")
    if not all(share > 0.0 for share in asked.half_felt):
        parser.error("--half-felt takes shares above 0")
    if asked.series:
        try:
            shapes_in(asked.series)
        except ValueError as error:
            parser.error(f"--series: {error}")
    for family in families:
        for size in map(int, sizes):
            spec = WorldSpec(family=family, tenants=size, seed=asked.seed)
            report(spec, asked.series, asked.half_felt)
    return 0


if __name__ == "__main__":
    sys.exit(main())
