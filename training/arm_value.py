"""What each arm alone would have been worth against m = 1, beside the candidate's policy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from flyball.arm import NEUTRAL
from training.dataset import Floats
from training.held_out import HeldOut
from training.off_policy.money import compare_money
from training.off_policy.overlap import Refused
from training.off_policy.value import Estimate

POLICY = "policy"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmValue:
    """``difference`` from staying at 100, as a share of a period's revenue margin, or why none.

    ``name`` is an arm in hundredths, or ``policy``. ``moved`` is the share of rows that it takes
    away from 100. Every tenant counts alike; payments are winsorised at their 99 % point.
    """

    name: str
    moved: float
    difference: Estimate | Refused

    def figures(self) -> dict[str, float]:
        """For a run's metrics; none where it was refused."""
        if isinstance(self.difference, Refused):
            return {}
        return {
            f"arm_value.{self.name}.{key}": float(getattr(self.difference, key))
            for key in ("value", "low", "high")
        }


def arm_values(held: HeldOut) -> tuple[ArmValue, ...]:
    """Every arm where it was offered (100 elsewhere), then the policy; none without prices."""
    priced = held.priced
    if not priced.any():
        return ()
    logged, static = held.logged.take(priced), held.static[priced]
    reward = held.earned[priced] / held.revenue[priced]
    found = []
    for name, policy in _policies(held):
        chosen = policy[priced]
        moved = float(np.abs(chosen - static).sum()) / (2.0 * len(static))
        if moved <= 0.0:
            continue
        compared = compare_money(logged.rewarded(reward, None), chosen, static)
        found.append(ArmValue(name=name, moved=moved, difference=compared.winsorised.difference))
    return tuple(found)


def _policies(held: HeldOut) -> Iterator[tuple[str, Floats]]:
    for at, arm in enumerate(held.rows.arms):
        if arm != NEUTRAL:
            possible = (held.logged.offered[:, at] > 0.0)[:, None]
            yield str(arm), np.where(possible, held.logged.constant(at), held.static)
    yield POLICY, held.policy
