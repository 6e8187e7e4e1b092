"""The dose learner behind the product's interface: a dataset in, effects for a bundle out."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from training.dataset import Dataset, Floats, Ints, Single
from training.effects import ArmEffects, no_effects
from training.estimators.design import BOUND, DEVIATIONS
from training.estimators.dose_effects import BLOCK_TRUST, DoseEffects
from training.estimators.dose_learner import DoseLearner
from training.estimators.estimator import TRUST_POOLED
from training.estimators.risk_scale import LIMIT
from training.estimators.table import (
    ALREADY_FEATURE,
    PLAN_FEATURE,
    EffectTable,
    Subjects,
    already_refused,
    table_of,
)
from training.export.dose_effects import DoseModel, Lookup, dose_effects_graph
from training.export.effects import QUIET_DOSE


@dataclass(frozen=True, slots=True)
class DoseEstimator:
    """The default :class:`training.effects.EffectEstimator`: an R-learner on dose."""

    learner: DoseLearner = field(default_factory=DoseLearner)

    def fit(self, dataset: Dataset, segments: tuple[str, ...]) -> ArmEffects:
        """Learn from ``dataset``; the result carries the graph that serving will run.

        Its ``mean`` and ``sd`` are for people: each segment's average row at its average doses.
        """
        table = table_of(dataset, segments)
        fitted = self.learner.fit(table)
        if not isinstance(fitted, DoseEffects):
            return no_effects(dataset.arms, segments, fitted.summary, fitted.evidence)
        mean, sd, trust = _by_segment(fitted, table)
        model = dose_model(fitted)
        return ArmEffects(
            mean=mean,
            sd=sd,
            trust=trust,
            arms=dataset.arms,
            segments=segments,
            summary=fitted.summary,
            evidence=fitted.evidence,
            graph=lambda width: dose_effects_graph(model, width),
            reference=lambda x, segment, dose: _reference(fitted, x, segment, dose),
        )


def _reference(
    fitted: DoseEffects, x: Single, segment: Ints, dose: Single
) -> tuple[Floats, Floats, Ints]:
    """What the graph must give: the estimator's own effects, by the bundle's rules on inputs."""
    frame, plan = fitted.table, np.full(len(x), -1, dtype=np.int64)
    if PLAN_FEATURE in frame.features and frame.plan_levels is not None:
        rank = x[:, frame.features.index(PLAN_FEATURE)]
        for code, level in enumerate(frame.plan_levels):
            plan[rank == np.float32(level)] = code
    known = (segment >= 0) & (segment < len(frame.segments))
    wide = dose.astype(np.float64)
    subjects = Subjects(
        x=x,
        segment=np.where(known, segment, -1),
        plan=plan,
        dose=wide,
        already=already_refused(x, frame.features),
    )
    found = fitted.effects(subjects)
    quiet = np.asarray((np.abs(dose) < np.float32(QUIET_DOSE)).all(axis=1))[:, None, None]
    return np.where(quiet, 0.0, found.mean), np.where(quiet, 0.0, found.sd), found.trust


def dose_model(fitted: DoseEffects) -> DoseModel:
    """The numbers of ``fitted`` that a bundle's graph needs."""
    design, frame = fitted.design, fitted.table
    weights, intercept = _linear(fitted)
    factors, offsets = _factors(fitted)
    variance = np.asarray([o.pooled.sd**2 + o.carry_sd**2 for o in fitted.outcomes])
    opened = {block for outcome in fitted.outcomes for block in outcome.deviations}
    everywhere = [BLOCK_TRUST[block] for block in ("risk", "personal") if block in opened]
    known = PLAN_FEATURE in frame.features and frame.plan_levels is not None
    refused = ALREADY_FEATURE in frame.features
    fallback = frame.fallback_dose
    return DoseModel(
        impute=design.impute,
        mean=design.mean,
        scale=design.scale,
        bound=BOUND,
        intercept=intercept,
        variance=variance,
        weights=weights,
        factors=factors,
        offsets=offsets,
        segments=_lookup(fitted, "segment", len(frame.segments)),
        plans=_lookup(fitted, "plan", len(frame.plans) if known else 0),
        plan_feature=frame.features.index(PLAN_FEATURE) if known else 0,
        plan_levels=frame.plan_levels if known and frame.plan_levels is not None else np.zeros(0),
        usable=fitted.usable,
        fallback_dose=np.zeros(len(frame.arms)) if fallback is None else fallback,
        trust=max([TRUST_POOLED, *everywhere]),
        half_felt=frame.half_felt,
        already_feature=frame.features.index(ALREADY_FEATURE) if refused else None,
        growth=design.scale_by_risk.growth,
        growth_offset=design.scale_by_risk.offset,
        growth_norm=design.scale_by_risk.norm,
        growth_limit=LIMIT,
    )


def _linear(fitted: DoseEffects) -> tuple[Floats, Floats]:
    """Weights [F, K] of standardised features, and what is left for a row of zeros [K]."""
    design = fitted.design
    weights = np.zeros((len(design.mean), len(fitted.outcomes)))
    intercept = np.asarray([o.pooled.mean + o.carry_mean for o in fitted.outcomes])
    for k, outcome in enumerate(fitted.outcomes):
        if "risk" in outcome.deviations:
            slope = outcome.deviations["risk"].mean[0]
            weights[:, k] += slope * design.index[:, k]
            intercept[k] -= slope * design.index_centre[k]
        if "personal" in outcome.deviations:
            own = outcome.deviations["personal"].mean
            weights[:, k] += own
            intercept[k] -= float(design.feature_centre[k] @ own)
    return weights, intercept


def _factors(fitted: DoseEffects) -> tuple[Floats, Floats]:
    """[K, F, R] and [K, R] such that variances of linear blocks are squared lengths."""
    design, outcomes = fitted.design, len(fitted.outcomes)
    width = len(design.mean)
    linear = [b for b in ("risk", "personal") if any(b in o.deviations for o in fitted.outcomes)]
    rank = (1 if "risk" in linear else 0) + (width if "personal" in linear else 0)
    factors, offsets = np.zeros((outcomes, width, rank)), np.zeros((outcomes, rank))
    for k, outcome in enumerate(fitted.outcomes):
        begin = 0
        if "risk" in linear:
            begin = 1
            if "risk" in outcome.deviations:
                root = float(np.sqrt(outcome.deviations["risk"].covariance[0, 0]))
                factors[k, :, 0] = root * design.index[:, k]
                offsets[k, 0] = -root * design.index_centre[k]
        if "personal" in outcome.deviations:
            values, vectors = np.linalg.eigh(outcome.deviations["personal"].covariance)
            root_matrix = vectors * np.sqrt(np.maximum(values, 0.0))
            factors[k, :, begin:] = root_matrix
            offsets[k, begin:] = -design.feature_centre[k] @ root_matrix
    return factors, offsets


def _lookup(fitted: DoseEffects, block: str, count: int) -> Lookup:
    """Every group's deviation; the last row is for an unknown one."""
    codes = np.append(np.arange(count), -1)
    subjects = _only(fitted, block, codes)
    mean = np.zeros((count + 1, len(fitted.outcomes)))
    variance = np.zeros_like(mean)
    trust = np.full(count + 1, TRUST_POOLED, dtype=np.int64)
    for k, outcome in enumerate(fitted.outcomes):
        posterior = outcome.deviations.get(block)
        if posterior is None:
            continue
        columns = fitted.design.columns(block, subjects, k)
        mean[:, k] = columns @ posterior.mean
        variance[:, k] = np.einsum("ij,jk,ik->i", columns, posterior.covariance, columns)
        variance[-1, k] = posterior.prior
        trust[:-1] = BLOCK_TRUST[block]
    return Lookup(mean=mean, variance=np.maximum(variance, 0.0), trust=trust)


def _only(fitted: DoseEffects, block: str, codes: Ints) -> Subjects:
    """Rows that differ in one group only."""
    assert block in DEVIATIONS
    width, arms = len(fitted.design.mean), len(fitted.table.arms)
    nothing = np.full(len(codes), -1, dtype=np.int64)
    return Subjects(
        x=np.zeros((len(codes), width), dtype=np.float32),
        segment=codes if block == "segment" else nothing,
        plan=codes if block == "plan" else nothing,
        dose=np.zeros((len(codes), arms)),
    )


def _by_segment(fitted: DoseEffects, table: EffectTable) -> tuple[Floats, Floats, Ints]:
    """Mean, SD and trust of each segment's rows, averaged; the last row is everybody."""
    effects = fitted.effects(table.subjects)
    rows = [table.subjects.segment == code for code in range(len(table.segments))]
    rows.append(np.ones(len(table), dtype=np.bool_))
    shape = (len(rows), *effects.mean.shape[1:])
    mean, sd = np.zeros(shape), np.zeros(shape)
    trust = np.zeros(shape[:2], dtype=np.int64)
    for at, chosen in enumerate(rows):
        members = chosen if chosen.any() else rows[-1]
        mean[at], sd[at] = effects.mean[members].mean(axis=0), effects.sd[members].mean(axis=0)
        trust[at] = effects.trust[members].max(axis=0)
    return mean, sd, trust
