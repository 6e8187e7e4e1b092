"""Regularised interactions: dose times everything, one ridge, no test.

The textbook answer, and the figure to beat: the penalty is chosen on held-out clusters, and no
randomisation test stands between noise and the policy.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from training.dataset import Bools, Floats, Ints
from training.estimators.baseline import cluster_folds, cross_fitted
from training.estimators.design import Design, design_of, modifiers
from training.estimators.estimator import (
    TRUST_PERSONAL,
    Effects,
    FittedEffects,
    absent,
    lacking,
    usable_arms,
)
from training.estimators.table import EffectTable, Subjects

#: Penalties on deviations, as multiples of the average information of a column.
PENALTIES = (0.1, 1.0, 10.0, 100.0, 1000.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class InteractionLearner:
    """Ridge regression of the unexplained outcome on dose residual times all modifiers."""

    seed: int = 7
    name: str = field(default="regularised interactions", init=False)

    def fit(self, table: EffectTable) -> FittedEffects:
        """Learn from ``table``; every arm that was drawn often enough gets a personal effect."""
        why = lacking(table)
        if why:
            return absent(table, why)
        expected = cross_fitted(table, seed=self.seed)
        design = design_of(table, expected)
        columns = modifiers(design, table.subjects)
        fold = cluster_folds(table.cluster, 2, self.seed)
        fits = [
            _ridge(table, columns, table.outcomes[:, k] - expected[:, k], fold)
            for k in range(len(table.names))
        ]
        return InteractionEffects(
            design=design,
            coefficients=np.stack([mean for mean, _, _ in fits]),
            covariances=np.stack([covariance for _, covariance, _ in fits]),
            usable=usable_arms(table),
            half_felt=table.half_felt,
            evidence={
                f"penalty_{name}": penalty
                for name, (_, _, penalty) in zip(table.names, fits, strict=True)
            },
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class InteractionEffects:
    """``coefficients`` [K, k] and their sandwich ``covariances`` [K, k, k]."""

    design: Design
    coefficients: Floats
    covariances: Floats
    usable: Bools
    half_felt: float
    evidence: dict[str, float]
    summary: str = "dose times every modifier, not tested"

    def effects(self, subjects: Subjects) -> Effects:
        """Effects per arm for ``subjects``."""
        columns = modifiers(self.design, subjects)
        slope = columns @ self.coefficients.T
        variance = np.einsum("ij,kjl,il->ik", columns, self.covariances, columns)
        felt = subjects.felt(np.nan_to_num(subjects.dose), self.half_felt)
        dose = np.where(self.usable[None, :], felt, 0.0)
        trust = np.where(self.usable, TRUST_PERSONAL, 0)[None, :].repeat(len(subjects), axis=0)
        return Effects(
            mean=dose[:, :, None] * slope[:, None, :],
            sd=np.abs(dose)[:, :, None] * np.sqrt(np.maximum(variance, 0.0))[:, None, :],
            trust=trust,
        )


def _ridge(
    table: EffectTable, columns: Floats, unexplained: Floats, fold: Ints
) -> tuple[Floats, Floats, float]:
    """Coefficients, covariance and the penalty with the least held-out R-loss."""
    losses = []
    for penalty in PENALTIES:
        loss = 0.0
        for part in (0, 1):
            fitted, judged = fold != part, fold == part
            beta, _ = _solve(table, columns, unexplained, fitted, penalty)
            slope = columns[judged] @ beta
            moved = unexplained[judged] - table.residual[judged] * slope
            loss += float((moved**2).sum())
        losses.append(loss)
    penalty = PENALTIES[int(np.argmin(losses))]
    everyone = np.ones(len(table), dtype=np.bool_)
    beta, inverse = _solve(table, columns, unexplained, everyone, penalty)
    left = unexplained - table.residual * (columns @ beta)
    moved = columns * (table.residual * left)[:, None]
    count = int(table.cluster.max()) + 1
    sums = np.stack([np.bincount(table.cluster, weights=c, minlength=count) for c in moved.T])
    return beta, inverse @ (sums @ sums.T) @ inverse, penalty


def _solve(
    table: EffectTable, columns: Floats, unexplained: Floats, rows: Bools, penalty: float
) -> tuple[Floats, Floats]:
    z, variance = columns[rows], table.variance[rows]
    information = (z * variance[:, None]).T @ z
    score = z.T @ (table.residual[rows] * unexplained[rows])
    ridge = np.full(z.shape[1], penalty * float(np.diag(information).mean()))
    ridge[0] = 0.0
    inverse = np.linalg.pinv(information + np.diag(ridge))
    return np.asarray(inverse @ score), np.asarray(inverse)
