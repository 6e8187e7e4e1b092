"""What is served is what was learned: graph against reference, dataset in, bundle effects out."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest

from training.dataset import Floats
from training.effects import ArmEffects
from training.estimators.dose_effects import DoseEffects
from training.estimators.dose_learner import DoseLearner
from training.estimators.served import DoseEstimator, dose_model
from training.estimators.table import ALREADY_FEATURE, EffectTable, Subjects, already_refused
from training.export.dose_effects import DoseModel, Lookup, dose_effects_graph
from training.rehearsal import SEGMENTS, World, rehearse

#: Enough for the finest block to open.
REDRAWS = 499

Make = Callable[..., EffectTable]
Expectation = Callable[[EffectTable], Floats]


def _served(fitted: DoseEffects, subjects: Subjects) -> tuple[Floats, Floats, Floats]:
    graph = dose_effects_graph(with_third(dose_model(fitted)), subjects.x.shape[1])
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    mean, sd, trust = session.run(
        None,
        {
            "x": subjects.x,
            "segment": np.where(subjects.segment < 0, 2, subjects.segment),
            "dose": subjects.dose.astype(np.float32),
        },
    )
    return mean, sd, trust


def with_third(model: DoseModel) -> DoseModel:
    """The made-up experiments have two outcomes, bundles three: the third has no effect."""

    def wider(values: Floats, axis: int) -> Floats:
        shape = list(values.shape)
        shape[axis] = 1
        return np.concatenate([values, np.zeros(shape)], axis=axis)

    def group(lookup: Lookup) -> Lookup:
        return replace(lookup, mean=wider(lookup.mean, 1), variance=wider(lookup.variance, 1))

    return replace(
        model,
        intercept=wider(model.intercept, 0),
        variance=wider(model.variance, 0),
        weights=wider(model.weights, 1),
        factors=wider(model.factors, 0),
        offsets=wider(model.offsets, 0),
        segments=group(model.segments),
        plans=group(model.plans),
        growth=wider(model.growth, 1),
        growth_offset=wider(model.growth_offset, 0),
        growth_norm=wider(model.growth_norm, 0),
    )


@pytest.mark.parametrize("half_felt", [0.1, math.inf], ids=["bent", "straight"])
@pytest.mark.parametrize(
    "truth",
    [
        {},
        {"upgrade": 0.4, "churn": 0.4, "segment_factor": -1.0},
        {"personal": 0.3, "carry": 0.3, "churn": 0.3},
    ],
    ids=["null", "segments", "personal"],
)
def test_the_graph_gives_what_the_estimator_says(
    make: Make, expectation: Expectation, truth: dict[str, float], half_felt: float
) -> None:
    table = make(9, tenants=400, **truth)
    table = replace(table, half_felt=half_felt)
    fitted = DoseLearner(redraws=REDRAWS).fit_residuals(table, expectation(table))
    x = table.subjects.x[:200].copy()
    x[::7, 0], x[::11, 1], x[3, 0], x[4, 0] = np.nan, 1e30, np.inf, -np.inf
    x[::13, 2] = 17.0
    dose = table.subjects.dose[:200].copy()
    dose[::5, 1] = np.nan
    segment = table.subjects.segment[:200].copy()
    segment[::9] = -1
    plan = np.where(x[:, 2] == 17.0, -1, table.subjects.plan[:200])
    subjects = Subjects(x=x, segment=segment, plan=plan, dose=dose)
    mean, sd, trust = _served(fitted, subjects)
    expected = fitted.effects(subjects)
    assert np.abs(mean[:, :, :2] - expected.mean).max() < 1e-6
    assert np.abs(sd[:, :, :2] - expected.sd).max() < 1e-6
    assert (trust == expected.trust).all()
    assert not mean[:, 2].any()


def test_what_the_base_limit_refuses_anyway_makes_a_dose_felt_less(
    make: Make, expectation: Expectation
) -> None:
    table = make(9, tenants=400, upgrade=0.4)
    features = (ALREADY_FEATURE, *table.features[1:])
    refused = already_refused(table.subjects.x, features)
    table = replace(
        table,
        features=features,
        half_felt=0.1,
        subjects=replace(table.subjects, already=refused),
    )
    fitted = DoseLearner(redraws=REDRAWS).fit_residuals(table, expectation(table))
    x = table.subjects.x[:200].copy()
    x[::7, 0], x[1, 0], x[2, 0], x[3, 0] = np.nan, np.inf, -np.inf, -0.5
    subjects = replace(
        table.subjects.take(np.arange(200)), x=x, already=already_refused(x, features)
    )
    mean, sd, _ = _served(fitted, subjects)
    expected = fitted.effects(subjects)
    assert np.abs(mean[:, :, :2] - expected.mean).max() < 1e-6
    assert np.abs(sd[:, :, :2] - expected.sd).max() < 1e-6
    more = replace(subjects, x=_with_first(x, 0.4), already=np.full(200, 0.4))
    less = replace(subjects, x=_with_first(x, 0.0), already=np.zeros(200))
    assert (np.abs(_served(fitted, more)[1]) < np.abs(_served(fitted, less)[1]))[:, 0, 0].all()


def _with_first(x: np.ndarray, value: float) -> np.ndarray:
    changed = x.copy()
    changed[:, 0] = value
    return changed


def test_rows_that_feel_no_arm_have_no_effect(make: Make, expectation: Expectation) -> None:
    table = make(9, upgrade=0.4)
    fitted = DoseLearner(redraws=REDRAWS).fit_residuals(table, expectation(table))
    quiet = replace(table.subjects, dose=np.full_like(table.subjects.dose, 0.0049))
    mean, sd, _ = _served(fitted, quiet)
    assert not mean.any()
    assert not sd.any()


def test_a_dataset_becomes_effects_with_a_graph() -> None:
    dataset = rehearse(World(tenants=400, weeks=12, base=(0.1, 0.01, 0.05), upgrade_effect=0.5))
    effects = DoseEstimator(DoseLearner(redraws=REDRAWS)).fit(dataset, SEGMENTS)
    assert isinstance(effects, ArmEffects)
    assert effects.graph is not None
    assert effects.mean[-1, 0, 0] > 0.02
    assert not effects.mean[:, 2].any()
    assert len(effects.graph(len(dataset.features))) > 1000


def test_history_without_draws_has_no_effect() -> None:
    dataset = rehearse(World(tenants=60, weeks=6, drawn=False))
    effects = DoseEstimator().fit(dataset, SEGMENTS)
    assert not effects.present
    assert effects.graph is None
