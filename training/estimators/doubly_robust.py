"""A cross-fitted doubly robust learner (Kennedy 2023): arm by arm, dose is not looked at.

Each row's pseudo-outcome is unbiased for its own effect of an arm, because propensities are known;
a ridge regression on features, segment and plan smooths them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from training.dataset import Bools, Floats, Ints
from training.estimators.baseline import cross_fitted
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

PENALTY = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DoublyRobustLearner:
    """Regression of doubly robust pseudo-outcomes, one an arm and outcome."""

    seed: int = 7
    penalty: float = PENALTY
    name: str = field(default="doubly robust", init=False)

    def fit(self, table: EffectTable) -> FittedEffects:
        """Learn from ``table``: for each arm from the rows offered it and the neutral arm."""
        why = lacking(table)
        if why:
            return absent(table, why)
        expected = cross_fitted(table, seed=self.seed)
        design = design_of(table, expected)
        columns = modifiers(design, table.subjects)
        arms, outcomes, width = len(table.arms), len(table.names), columns.shape[1]
        beta = np.zeros((arms, outcomes, width))
        covariance = np.zeros((arms, outcomes, width, width))
        usable = usable_arms(table)
        for arm in np.flatnonzero(usable):
            for k in range(outcomes):
                pseudo, both = _pseudo(table, int(arm), table.outcomes[:, k] - expected[:, k])
                beta[arm, k], covariance[arm, k] = self._smooth(
                    columns[both], pseudo[both], table.cluster[both]
                )
        return DoublyRobustEffects(design=design, beta=beta, covariance=covariance, usable=usable)

    def _smooth(
        self,
        columns: Floats,
        pseudo: Floats,
        cluster: Ints,
    ) -> tuple[Floats, Floats]:
        gram = columns.T @ columns
        # The penalty is what one tenth of the rows would say about a column of variance 1.
        ridge = np.full(columns.shape[1], self.penalty * len(columns) / 10.0)
        ridge[0] = 0.0
        inverse = np.linalg.pinv(gram + np.diag(ridge))
        beta = inverse @ (columns.T @ pseudo)
        moved = columns * (pseudo - columns @ beta)[:, None]
        count = int(cluster.max()) + 1
        sums = np.stack([np.bincount(cluster, weights=c, minlength=count) for c in moved.T])
        return beta, inverse @ (sums @ sums.T) @ inverse


@dataclass(frozen=True, slots=True, kw_only=True)
class DoublyRobustEffects:
    """``beta`` [A, K, k] and ``covariance`` [A, K, k, k]."""

    design: Design
    beta: Floats
    covariance: Floats
    usable: Bools
    evidence: dict[str, float] = field(default_factory=dict)
    summary: str = "doubly robust, arm by arm, not tested"

    def effects(self, subjects: Subjects) -> Effects:
        """Effects per arm for ``subjects``."""
        columns = modifiers(self.design, subjects)
        mean = np.einsum("ij,akj->iak", columns, self.beta)
        sd = np.zeros_like(mean)
        for arm in np.flatnonzero(self.usable):
            for k in range(mean.shape[2]):
                spread = ((columns @ self.covariance[arm, k]) * columns).sum(axis=1)
                sd[:, arm, k] = np.sqrt(np.maximum(spread, 0.0))
        trust = np.where(self.usable, TRUST_PERSONAL, 0)[None, :].repeat(len(subjects), axis=0)
        return Effects(mean=mean, sd=sd, trust=trust)


def _pseudo(table: EffectTable, arm: int, unexplained: Floats) -> tuple[Floats, Bools]:
    """Unbiased effect of ``arm`` for each row offered both, and which rows those are."""
    both = (table.offered[:, arm] > 0.0) & (table.offered[:, table.neutral] > 0.0)
    treated = (table.arm == arm) / np.maximum(table.offered[:, arm], 1e-12)
    control = (table.arm == table.neutral) / np.maximum(table.offered[:, table.neutral], 1e-12)
    return np.asarray((treated - control) * unexplained), np.asarray(both)
