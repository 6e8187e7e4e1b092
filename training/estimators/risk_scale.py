"""How an effect grows with a row's own risk: not at all, in proportion, or with its square root.

Who would hardly ever upgrade will hardly be made to, and what doubles a hazard adds more where the
hazard is large. So a row's effect is multiplied by rho(x) = (risk ÷ average risk) ^ power; the risk
is a log-linear reading of the cross-fitted expectation, the power what explains held-out clusters
best. Only the shape is chosen here: whether there is any effect is for the randomisation
test, whose statistic does not depend on rho.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.dataset import Floats
from training.estimators.baseline import cluster_folds
from training.estimators.table import EffectTable

POWERS = (0.0, 0.5, 1.0)
#: rho before it is normed lies within exp(±LIMIT): further out it would be extrapolated.
LIMIT = 2.0
#: An expectation below this share of the average counts as this.
LEAST_SHARE = 0.05
FOLDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskScale:
    """``rho(z) = norm · exp(clip(z @ growth + offset, ±LIMIT))`` for each of K outcomes.

    ``growth`` [F, K] and ``offset``, ``norm`` [K]; ``power`` [K] is for people. Over the experiment
    rho averages 1, each row weighted by what it tells about an effect.
    """

    growth: Floats
    offset: Floats
    norm: Floats
    power: tuple[float, ...]

    def of(self, z: Floats) -> Floats:
        """rho of standardised features [n, F], as [n, K]."""
        return np.asarray(
            self.norm * np.exp(np.clip(z @ self.growth + self.offset, -LIMIT, LIMIT)),
            dtype=np.float64,
        )


def even_scale(features: int, outcomes: int) -> RiskScale:
    """rho = 1 for everybody: effects do not depend on risk."""
    return RiskScale(
        growth=np.zeros((features, outcomes)),
        offset=np.zeros(outcomes),
        norm=np.ones(outcomes),
        power=(0.0,) * outcomes,
    )


def risk_scale(table: EffectTable, z: Floats, expected: Floats, *, seed: int) -> RiskScale:
    """The scale of each outcome, from cross-fitted expectations ``expected`` [n, K]."""
    scale = even_scale(z.shape[1], expected.shape[1])
    fold = cluster_folds(table.cluster, FOLDS, seed)
    total = max(float(table.variance.sum()), 1e-300)
    power = list(scale.power)
    for k in range(expected.shape[1]):
        level = np.maximum(expected[:, k], LEAST_SHARE * float(expected[:, k].mean()))
        # Amounts have no risk, and where everybody's is the same there is nothing to follow.
        if not table.binary[k] or float(level.min()) <= 0.0 or np.ptp(np.log(level)) < 1e-6:
            continue
        direction = _direction(z, np.log(level))
        along = z @ direction
        along_centre = float(along @ table.variance) / total
        best = 0.0
        for candidate in POWERS:
            rho = np.exp(np.clip(candidate * (along - along_centre), -LIMIT, LIMIT))
            rho /= max(float(rho @ table.variance) / total, 1e-300)
            gain = _gain(table, table.outcomes[:, k] - expected[:, k], rho, level, fold)
            if candidate == 0.0 or gain > best:
                best, power[k] = gain, candidate
                scale.growth[:, k] = candidate * direction
                scale.offset[k] = -candidate * along_centre
                before = np.exp(np.clip(z @ scale.growth[:, k] + scale.offset[k], -LIMIT, LIMIT))
                scale.norm[k] = total / max(float(before @ table.variance), 1e-300)
    return RiskScale(growth=scale.growth, offset=scale.offset, norm=scale.norm, power=tuple(power))


def _gain(
    table: EffectTable, unexplained: Floats, rho: Floats, level: Floats, fold: np.ndarray
) -> float:
    """Squared error that a slope on ``rho`` saves on held-out clusters; rare outcomes are less
    noisy where they are rarer, hence the weights."""
    moved = table.residual * unexplained
    score, information = moved * rho / level, rho**2 * table.variance / level
    gain = 0.0
    for part in np.unique(fold):
        fitted, judged = fold != part, fold == part
        slope = moved[fitted].sum() / max(float((rho * table.variance)[fitted].sum()), 1e-300)
        gain += 2.0 * slope * score[judged].sum() - slope**2 * information[judged].sum()
    return float(gain)


def _direction(z: Floats, target: Floats) -> Floats:
    """Least-squares direction of ``target`` [n] in ``z`` [n, F]."""
    if not z.shape[1]:
        return np.zeros(0)
    around = z - z.mean(axis=0)
    gram = around.T @ around + np.eye(z.shape[1])
    return np.asarray(np.linalg.solve(gram, around.T @ (target - target.mean())), dtype=np.float64)
