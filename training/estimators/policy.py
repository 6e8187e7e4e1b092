"""The simplest policy on effects: the best offered arm, if its conservative gain is above 0."""

from __future__ import annotations

import numpy as np

from training.dataset import Floats
from training.estimators.estimator import Effects
from training.estimators.table import EffectTable

#: Standard deviations taken off an arm's advantage.
CAUTION = 0.5


def greedy(
    effects: Effects, offered: Floats, worth: Floats, neutral: int, *, caution: float = CAUTION
) -> Floats:
    """Probabilities [n, A], one arm each: highest ``effects @ worth`` minus ``caution`` SD.

    ``worth`` is [K] or [n, K]: what an outcome earns. Arms that were not offered or have no trust
    are never taken; ties go to ``neutral``.
    """
    weight = np.broadcast_to(worth, (len(effects), effects.mean.shape[2]))
    gain = np.einsum("iak,ik->ia", effects.mean, weight)
    # Effects on different outcomes are taken as independent.
    spread = np.sqrt(np.einsum("iak,ik->ia", effects.sd**2, weight**2))
    score = np.where((offered > 0.0) & (effects.trust > 0), gain - caution * spread, -np.inf)
    score[:, neutral] = 0.0
    best = score.max(axis=1)
    chosen = np.where(best > 0.0, score.argmax(axis=1), neutral)
    return np.asarray(chosen[:, None] == np.arange(offered.shape[1])[None, :], dtype=np.float64)


def always(table: EffectTable, arm: int) -> Floats:
    """Probabilities [n, A] of the policy that plays ``arm`` wherever it was offered."""
    policy = np.zeros(table.offered.shape)
    policy[np.arange(len(table)), np.where(table.offered[:, arm] > 0.0, arm, table.neutral)] = 1.0
    return policy
