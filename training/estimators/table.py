"""The table that effects are learned from: who, what could have been drawn, what came of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from flyball.arm import NEUTRAL
from flyball.errors import InvalidInput
from training.dataset import Bools, Dataset, Floats, Ints, Single
from training.estimators.felt_dose import HALF_FELT_SHARE, felt_dose
from training.export.effects import QUIET_DOSE
from training.outcome import OUTCOMES

#: Feature whose levels stand for plans, because a bundle's graphs see features and no plan names.
PLAN_FEATURE = "plan_rank"
#: Feature that says what share of demand m = 1 itself is expected to refuse.
ALREADY_FEATURE = "predicted_blocked_28d"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subjects:
    """What is known of n rows before the draw.

    ``x`` float32 [n, F] (NaN: missing), ``segment`` and ``plan`` codes [n] (-1: unknown), ``dose``
    [n, A]: expected blocked share (or another dose) under an arm minus that under the neutral arm.
    ``already`` [n] (>= 0) is what the neutral arm itself is expected to block; None: nothing.
    """

    x: Single
    segment: Ints
    plan: Ints
    dose: Floats
    already: Floats | None = None

    def __len__(self) -> int:
        return len(self.x)

    def take(self, rows: Bools | Ints) -> Subjects:
        """The chosen rows."""
        return Subjects(
            x=self.x[rows],
            segment=self.segment[rows],
            plan=self.plan[rows],
            dose=self.dose[rows],
            already=None if self.already is None else self.already[rows],
        )

    def felt(self, dose: Floats, half_felt: float) -> Floats:
        """What these rows feel of ``dose`` [n, A]; see :func:`felt_dose`."""
        return felt_dose(dose, self.already, half_felt)


@dataclass(frozen=True, kw_only=True)
class EffectTable:
    """Rows drawn with known propensities.

    Parameters
    ----------
    subjects, features:
        Rows and their features' names. Doses must be finite here; see ``fallback_dose``.
    arms, neutral:
        Names of the A arms, and the column of the one that effects are measured against.
    arm, offered:
        Assigned arm [n] and propensity of each arm [n, A] (0: not offered, rows sum to 1).
    outcomes, names:
        Outcomes [n, K] and their names; 0/1, or any finite number.
    cluster, draw:
        Codes [n]: rows that are not independent, and rows that shared one random draw.
    segments, plans:
        Names of the codes in ``subjects``.
    tenant, period:
        Who [n] and when [n] (in periods) for carry-over; None without.
    plan_levels:
        Values of :data:`PLAN_FEATURE` that plan codes stand for; None where they are only names.
    fallback_dose:
        [A]: stands for unknown doses when effects are asked for.
    half_felt:
        Blocked share of which half is felt (> 0); infinite where effects are in proportion to dose.

    Raises
    ------
    InvalidInput
        Shapes do not agree, or an assigned arm had no chance.
    """

    subjects: Subjects
    features: tuple[str, ...]
    arms: tuple[str, ...]
    neutral: int
    arm: Ints
    offered: Floats
    outcomes: Floats
    names: tuple[str, ...]
    cluster: Ints
    draw: Ints
    segments: tuple[str, ...] = ()
    plans: tuple[str, ...] = ()
    tenant: Ints | None = None
    period: Floats | None = None
    plan_levels: Floats | None = None
    fallback_dose: Floats | None = None
    half_felt: float = math.inf

    def __post_init__(self) -> None:
        rows, arms = len(self.subjects), len(self.arms)
        if self.offered.shape != (rows, arms) or self.subjects.dose.shape != (rows, arms):
            raise InvalidInput("Propensities and doses need one column an arm.", field="offered")
        if self.outcomes.shape != (rows, len(self.names)):
            raise InvalidInput("Outcomes need one column a name.", field="outcomes")
        if not (np.isfinite(self.outcomes).all() and np.isfinite(self.subjects.dose).all()):
            raise InvalidInput("Outcomes and doses must be finite.", field="outcomes")
        if rows and (self.own_propensity <= 0.0).any():
            raise InvalidInput("An assigned arm has no propensity.", field="offered")
        if rows and (np.abs(self.offered.sum(axis=1) - 1.0) > 1e-3).any():
            raise InvalidInput("Propensities of a row must sum to 1.", field="offered")

    def __len__(self) -> int:
        return len(self.subjects)

    @cached_property
    def own_propensity(self) -> Floats:
        """Propensity of the assigned arm [n]."""
        return np.asarray(self.offered[np.arange(len(self)), self.arm], dtype=np.float64)

    @cached_property
    def choice(self) -> Bools:
        """Rows that had an alternative [n]; only these say anything about effects."""
        return np.asarray((self.offered > 0.0).sum(axis=1) > 1)

    @cached_property
    def binary(self) -> Bools:
        """Outcomes that are 0/1, [K]."""
        return np.asarray(((self.outcomes == 0.0) | (self.outcomes == 1.0)).all(axis=0))

    @cached_property
    def centred(self) -> Floats:
        """Felt dose of each arm minus what the propensities led to expect, [n, A]."""
        share = self.offered / self.offered.sum(axis=1, keepdims=True)
        dose = self.subjects.felt(self.subjects.dose, self.half_felt)
        return np.asarray(dose - (share * dose).sum(axis=1, keepdims=True), dtype=np.float64)

    @cached_property
    def residual(self) -> Floats:
        """Felt dose of the assigned arm minus its logged expectation [n]."""
        return np.asarray(self.centred[np.arange(len(self)), self.arm], dtype=np.float64)

    @cached_property
    def variance(self) -> Floats:
        """Variance of :attr:`residual` under the logged propensities [n]; known, not estimated."""
        share = self.offered / self.offered.sum(axis=1, keepdims=True)
        return np.asarray((share * self.centred**2).sum(axis=1), dtype=np.float64)

    def take(self, rows: Bools) -> EffectTable:
        """The rows where the mask holds."""
        return replace(
            self,
            subjects=self.subjects.take(rows),
            arm=self.arm[rows],
            offered=self.offered[rows],
            outcomes=self.outcomes[rows],
            cluster=self.cluster[rows],
            draw=self.draw[rows],
            tenant=None if self.tenant is None else self.tenant[rows],
            period=None if self.period is None else self.period[rows],
        )


def kept_rows(dataset: Dataset) -> Bools:
    """Rows [n] of ``dataset`` that say something about effects, and make up :func:`table_of`.

    Left out: rows that were not drawn, that have incomplete propensities, an arm off the grid, or
    whose every dose is known and below ``QUIET_DOSE`` (no effect by definition).
    """
    column, offered = _arm_columns(dataset), np.nan_to_num(dataset.offered())
    own = offered[np.arange(len(dataset)), np.maximum(column, 0)]
    felt = ~(np.abs(dataset.dose()) < QUIET_DOSE).all(axis=1)
    complete = np.abs(offered.sum(axis=1) - 1.0) < 1e-3
    keep = felt & complete & (column >= 0) & (own > 0.0) & dataset.analysed()
    return np.asarray(keep, dtype=np.bool_)


def table_of(dataset: Dataset, segments: tuple[str, ...]) -> EffectTable:
    """The rows of ``dataset`` that :func:`kept_rows` keeps, in ``segments``' order of codes.

    A row without known doses takes each arm's mean dose over the others.
    """
    keep = kept_rows(dataset)
    kept = dataset.take(keep)
    dose = kept.dose()
    fallback = _fallback(dose, dataset.arms)
    cluster, _ = kept.groups("organisation")
    tenant, _ = kept.groups("tenant_id")
    pairs = np.stack([cluster, kept.start_hours()])
    draw = np.unique(pairs, axis=1, return_inverse=True)[1]
    known = {name: code for code, name in enumerate(segments)}
    x = kept.matrix()
    plan, levels = _plans(x, kept.features)
    return EffectTable(
        subjects=Subjects(
            x=x,
            segment=np.asarray([known.get(s, -1) for s in kept.text("segment")], dtype=np.int64),
            plan=plan,
            dose=filled_dose(dose, fallback),
            already=already_refused(x, kept.features),
        ),
        features=kept.features,
        arms=tuple(str(arm) for arm in dataset.arms),
        neutral=dataset.arms.index(NEUTRAL),
        arm=_arm_columns(kept),
        offered=np.nan_to_num(kept.offered()),
        outcomes=np.column_stack([kept.outcome(o) for o in OUTCOMES]).astype(np.float64),
        names=tuple(outcome.name.lower() for outcome in OUTCOMES),
        cluster=cluster,
        draw=np.asarray(draw, dtype=np.int64).reshape(-1),
        segments=segments,
        plans=tuple(f"rank {level:g}" for level in levels),
        tenant=tenant,
        period=kept.start_hours() / (24.0 * dataset.period_days),
        plan_levels=levels,
        fallback_dose=fallback,
        half_felt=HALF_FELT_SHARE,
    )


def _arm_columns(dataset: Dataset) -> Ints:
    """Column of each row's assigned arm [n]; -1 off the grid."""
    column = np.full(len(dataset), -1, dtype=np.int64)
    for index, arm in enumerate(dataset.arms):
        column[dataset.arm() == arm] = index
    return column


def already_refused(x: Single, features: tuple[str, ...]) -> Floats | None:
    """What m = 1 is expected to refuse [n], 0 where that is unknown; None without the feature."""
    if ALREADY_FEATURE not in features:
        return None
    share = x[:, features.index(ALREADY_FEATURE)].astype(np.float64)
    return np.asarray(np.clip(np.nan_to_num(share), 0.0, 1.0), dtype=np.float64)


def filled_dose(dose: Floats, fallback: Floats) -> Floats:
    """``dose`` [n, A] with ``fallback`` [A] in rows that have an unknown one."""
    unknown = np.any(~np.isfinite(dose), axis=1, keepdims=True)
    return np.asarray(np.where(unknown, fallback[None, :], np.nan_to_num(dose)), dtype=np.float64)


def _fallback(dose: Floats, arms: tuple[int, ...]) -> Floats:
    """Mean dose of rows that know theirs; how far an arm is from 100 where no row does."""
    known = np.isfinite(dose).all(axis=1)
    if known.any():
        return np.asarray(dose[known].mean(axis=0), dtype=np.float64)
    return (NEUTRAL - np.asarray(arms, dtype=np.float64)) / 100.0


def _plans(x: Single, features: tuple[str, ...]) -> tuple[Ints, Floats]:
    if PLAN_FEATURE not in features or not len(x):
        return np.full(len(x), -1, dtype=np.int64), np.zeros(0)
    values = x[:, features.index(PLAN_FEATURE)].astype(np.float64)
    levels = np.unique(values[np.isfinite(values)])
    code = np.searchsorted(levels, np.nan_to_num(values))
    return np.where(np.isfinite(values), code, -1).astype(np.int64), levels
