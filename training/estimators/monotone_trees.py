"""Pooled trees with dose among the features; churn may only rise with dose.

An S-learner: it is biased towards no effect, and monotone only if that is true. Whether the data
contradict it is reported beside the fit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from training.dataset import Bools, Floats, Single
from training.estimators.baseline import cluster_folds
from training.estimators.estimator import (
    TRUST_PERSONAL,
    Effects,
    FittedEffects,
    absent,
    lacking,
    usable_arms,
)
from training.estimators.table import EffectTable, Subjects

#: Outcomes that may only rise with dose.
MONOTONE = frozenset({"churn", "churned", "defection"})
TREES = 80
#: Halves of the clusters that are fitted again for the standard deviation.
BAGS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class MonotoneTreeLearner:
    """LightGBM on features, segment, plan and dose, one model an outcome."""

    seed: int = 7
    monotone: frozenset[str] = MONOTONE
    name: str = field(default="trees monotone in dose", init=False)

    def fit(self, table: EffectTable) -> FittedEffects:
        """Learn from ``table``; ``evidence`` says how far churn contradicts the assumption."""
        why = lacking(table)
        if why:
            return absent(table, why)
        rows = np.arange(len(table))
        design = _matrix(table.subjects, table.subjects.dose[rows, table.arm])
        bag = cluster_folds(table.cluster, 2 * BAGS, self.seed)
        everyone = np.ones(len(table), dtype=np.bool_)
        halves = [(bag + b) % (2 * BAGS) < BAGS for b in range(BAGS)]
        models = [
            [self._one(table, k, design, rows) for rows in (everyone, *halves)]
            for k in range(len(table.names))
        ]
        return TreeEffects(
            models=models, usable=usable_arms(table), evidence=self._contradictions(table)
        )

    def _one(self, table: EffectTable, outcome: int, design: Single, rows: Bools) -> Any:
        import lightgbm

        up = 1 if table.names[outcome] in self.monotone else 0
        parameters = {
            "objective": "binary" if table.binary[outcome] else "regression",
            "learning_rate": 0.05,
            "num_leaves": 8,
            "min_data_in_leaf": max(20, min(200, len(table) // 200)),
            "lambda_l2": 10.0,
            "max_bin": 63,
            "monotone_constraints": [0] * (design.shape[1] - 1) + [up],
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": 1 if len(table) < 20_000 else 2,
            "seed": self.seed,
            "verbosity": -1,
        }
        data = lightgbm.Dataset(design[rows], table.outcomes[rows, outcome])
        return lightgbm.train(parameters, data, num_boost_round=TREES)

    def _contradictions(self, table: EffectTable) -> dict[str, float]:
        """One-sided p-values against "rises with dose", from the plain slope by the known design.

        A small one says that the outcome falls with dose.
        """
        found = {}
        for k, name in enumerate(table.names):
            if name in self.monotone:
                y = table.outcomes[:, k] - table.outcomes[:, k].mean()
                moved = table.residual * y
                z = moved.sum() / math.sqrt(float((moved**2).sum()) + 1e-300)
                found[f"p_against_monotone_{name}"] = 0.5 * math.erfc(-z / math.sqrt(2.0))
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeEffects:
    """Predictions under an arm's dose minus those under dose 0; SD from halves of the clusters."""

    models: Sequence[Sequence[Any]]
    usable: Bools
    evidence: Mapping[str, float]

    @property
    def summary(self) -> str:
        """Says whether the assumption was contradicted."""
        against = [name for name, p in self.evidence.items() if p <= 0.05]
        return "the data contradict monotony" if against else "monotony is not contradicted"

    def effects(self, subjects: Subjects) -> Effects:
        """Effects per arm for ``subjects``."""
        rows, arms = subjects.dose.shape
        mean, sd = (
            np.zeros((rows, arms, len(self.models))),
            np.zeros((rows, arms, len(self.models))),
        )
        still = _matrix(subjects, np.zeros(rows))
        base = [[np.asarray(m.predict(still)) for m in models] for models in self.models]
        for arm in np.flatnonzero(self.usable):
            design = _matrix(subjects, np.nan_to_num(subjects.dose[:, arm]))
            for k, models in enumerate(self.models):
                moved = [
                    np.asarray(m.predict(design)) - b for m, b in zip(models, base[k], strict=True)
                ]
                mean[:, arm, k] = moved[0]
                # Halves vary √2 times as much as the whole.
                sd[:, arm, k] = np.std(moved[1:], axis=0, ddof=1) / math.sqrt(2.0)
        trust = np.where(self.usable, TRUST_PERSONAL, 0)[None, :].repeat(rows, axis=0)
        return Effects(mean=mean, sd=sd, trust=trust)


def _matrix(subjects: Subjects, dose: Floats) -> Single:
    """Features, segment, plan, and dose last."""
    return np.column_stack(
        [subjects.x, subjects.segment, subjects.plan, dose],
    ).astype(np.float32)
