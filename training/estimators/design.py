"""Blocks of effect modifiers: columns that multiply dose, each centred over the experiment.

Centred columns make the pooled block the average effect and every other block a deviation from it;
under the known design the two are then uncorrelated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.dataset import Floats, Ints
from training.estimators.risk_scale import RiskScale, even_scale, risk_scale
from training.estimators.table import EffectTable, Subjects
from training.logistic import column_moments
from training.outcome_model import standardise

#: Blocks of deviations, in the order in which they are fitted.
DEVIATIONS = ("segment", "plan", "risk", "personal")
#: Standardised features are held within this many standard deviations: further out, an effect
#: would be extrapolated from nobody.
BOUND = 3.0


@dataclass(frozen=True, kw_only=True)
class Design:
    """How rows become columns.

    ``impute``, ``mean`` and ``scale`` [F] standardise features; ``index`` [F, K] is the direction
    in which each outcome's expectation grows; ``scale_by_risk`` is how effects follow risk. Centres
    are columns' means for each of K outcomes, weighted by what a row tells about its effect.
    """

    segments: int
    plans: int
    impute: Floats
    mean: Floats
    scale: Floats
    index: Floats
    index_centre: Floats
    segment_centre: Floats
    plan_centre: Floats
    feature_centre: Floats
    scale_by_risk: RiskScale

    def standard(self, subjects: Subjects) -> Floats:
        """Imputed, standardised and bounded features [n, F]."""
        z = standardise(subjects.x, self.impute, self.mean, self.scale)
        return np.asarray(np.clip(z, -BOUND, BOUND), dtype=np.float64)

    def rho(self, subjects: Subjects, outcome: int) -> Floats:
        """What the row's own risk makes of an effect on ``outcome`` [n], on average 1."""
        return self.scale_by_risk.of(self.standard(subjects))[:, outcome]

    def columns(self, block: str, subjects: Subjects, outcome: int) -> Floats:
        """Columns of ``block`` for ``outcome`` [n, k]; all 0 where a group is unknown."""
        if block == "segment":
            return _one_hot(subjects.segment, self.segments, self.segment_centre[outcome])
        if block == "plan":
            return _one_hot(subjects.plan, self.plans, self.plan_centre[outcome])
        z = self.standard(subjects)
        if block == "risk":
            along = z @ self.index[:, outcome] - self.index_centre[outcome]
            return np.asarray(along[:, None], dtype=np.float64)
        return np.asarray(z - self.feature_centre[outcome], dtype=np.float64)


def design_of(table: EffectTable, expected: Floats, *, seed: int | None = None) -> Design:
    """The design of ``table``, with ``expected`` [n, K] as the risk that effects may follow.

    ``seed`` splits clusters to choose how they follow it; without one effects are the same at every
    risk.
    """
    impute, mean, scale = column_moments(table.subjects.x)
    z = np.clip(standardise(table.subjects.x, impute, mean, scale), -BOUND, BOUND)
    index = _directions(z, expected)
    risk = even_scale(z.shape[1], expected.shape[1])
    if seed is not None:
        risk = risk_scale(table, z, expected, seed=seed)
    told = risk.of(z) * table.variance[:, None]
    weight = told / np.maximum(told.sum(axis=0), 1e-300)
    segments, plans = len(table.segments), len(table.plans)
    return Design(
        segments=segments,
        plans=plans,
        impute=impute,
        mean=mean,
        scale=scale,
        index=index,
        index_centre=(weight * (z @ index)).sum(axis=0),
        segment_centre=_shares(table.subjects.segment, segments, weight),
        plan_centre=_shares(table.subjects.plan, plans, weight),
        feature_centre=weight.T @ z,
        scale_by_risk=risk,
    )


def modifiers(design: Design, subjects: Subjects) -> Floats:
    """The pooled column, then segments, plans and features; the risk column is their sum."""
    parts = [np.ones((len(subjects), 1))]
    parts += [design.columns(block, subjects, 0) for block in ("segment", "plan", "personal")]
    return np.concatenate(parts, axis=1)


def _directions(z: Floats, expected: Floats) -> Floats:
    """Least-squares direction of each expectation, scaled to unit standard deviation."""
    if not z.shape[1]:
        return np.zeros((0, expected.shape[1]))
    around = z - z.mean(axis=0)
    gram = around.T @ around + np.eye(z.shape[1])
    direction = np.linalg.solve(gram, around.T @ (expected - expected.mean(axis=0)))
    spread = (around @ direction).std(axis=0)
    return np.where(spread > 1e-12, direction / np.maximum(spread, 1e-12), 0.0)


def _one_hot(code: Ints, count: int, centre: Floats) -> Floats:
    hot = (code[:, None] == np.arange(count)[None, :]).astype(np.float64)
    return np.where((code >= 0)[:, None], hot - centre, 0.0)


def _shares(code: Ints, count: int, weight: Floats) -> Floats:
    """Share of each group among rows whose group is known, by each of K weights: [K, count]."""
    member = (code[:, None] == np.arange(count)[None, :]).astype(np.float64)
    sums = weight.T @ member
    total = np.maximum(sums.sum(axis=1, keepdims=True), 1e-300)
    return np.asarray(sums / total, dtype=np.float64)
