"""How well each arm can be seen in the log at all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.estimators.estimator import effective_rows
from training.estimators.table import EffectTable


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmOverlap:
    """One arm: rows drawn and offered, the least and mean chance where offered, effective rows,
    and the largest share that one row has of the arm's weight; ``dose`` is its mean dose."""

    arm: str
    drawn: int
    offered: float
    least: float
    mean: float
    effective: float
    largest: float
    dose: float


def arm_overlap(table: EffectTable) -> tuple[ArmOverlap, ...]:
    """Overlap of every arm of ``table``; nothing for a table without rows."""
    if not len(table):
        return ()
    effective = effective_rows(table)
    found = []
    for at, arm in enumerate(table.arms):
        chance = table.offered[:, at]
        possible, drawn = chance > 0.0, table.arm == at
        weight = 1.0 / chance[drawn]
        found.append(
            ArmOverlap(
                arm=arm,
                drawn=int(drawn.sum()),
                offered=float(possible.mean()),
                least=float(chance[possible].min()) if possible.any() else 0.0,
                mean=float(chance[possible].mean()) if possible.any() else 0.0,
                effective=float(effective[at]),
                largest=float(weight.max() / weight.sum()) if len(weight) else 1.0,
                dose=float(np.mean(table.subjects.dose[possible, at])) if possible.any() else 0.0,
            )
        )
    return tuple(found)
