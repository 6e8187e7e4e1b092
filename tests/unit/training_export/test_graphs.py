"""Graphs of every kind of model, alone and together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

from flyball.errors import InvalidInput
from training.export.attribution import attribution_graph
from training.export.effects import effects_graph
from training.export.forest import forest_of
from training.export.hazards import hazards_graph
from training.export.parity import reference_hazards
from training.outcome_model import OUTCOMES, FittedOutcome, Linear, Platt

Fit = Callable[..., FittedOutcome]
Rows = NDArray[np.float32]


def _run(graph: bytes, **inputs: Any) -> list[Any]:
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    outputs: list[Any] = session.run(None, inputs)
    return outputs


def _none(outcome: str, base_rate: float = 0.01) -> FittedOutcome:
    return FittedOutcome(outcome, "none", base_rate)


def _linear(outcome: str, intercept: float = -2.0) -> FittedOutcome:
    three = np.array([0.5, -1.0, 2.0])
    model = Linear(three, intercept, np.zeros(3), np.array([0.0, 0.1, 1.5]), np.ones(3))
    return FittedOutcome(outcome, "logistic", 0.1, linear=model, calibration=Platt(1.2, 0.3))


def _check(outcomes: Sequence[FittedOutcome], rows: Rows) -> None:
    served = _run(hazards_graph(outcomes, 3), x=rows)[0]
    assert np.abs(served - reference_hazards(outcomes, rows)).max() < 1e-6
    contribution = _run(attribution_graph(outcomes, [0, 1, 1], 2), x=rows)[0]
    assert contribution.shape == (len(rows), 3, 2)
    assert np.isfinite(contribution).all()


def test_three_outcomes_without_a_model_are_three_base_rates(rows: Rows) -> None:
    outcomes = [_none(name, rate) for name, rate in zip(OUTCOMES, (0.0, 0.2, 1.0), strict=True)]
    served = _run(hazards_graph(outcomes, 3), x=rows)[0]
    assert np.allclose(served, np.array([0.0, 0.2, 1.0]) / 1.2)
    assert not _run(attribution_graph(outcomes, [0, 0, 0], 1), x=rows)[0].any()
    _check(outcomes, rows)


@pytest.mark.parametrize("kinds", ["lll", "ggg", "gln", "ngl", "lng", "nnl", "ngn"])
def test_any_mixture_of_models_is_exported(fit: Fit, rows: Rows, kinds: str) -> None:
    make = {"g": fit, "l": _linear, "n": _none}
    _check([make[kind](name) for kind, name in zip(kinds, OUTCOMES, strict=True)], rows)


def test_the_order_of_the_models_does_not_matter(fit: Fit, rows: Rows) -> None:
    outcomes = [fit("churn"), _none("upgrade"), _linear("downgrade")]
    assert hazards_graph(outcomes, 3) == hazards_graph(outcomes[::-1], 3)
    _check(outcomes, rows)


def test_the_same_models_give_the_same_bytes(fit: Fit) -> None:
    outcomes = [fit("churn"), _none("upgrade"), _linear("downgrade")]
    assert hazards_graph(outcomes, 3) == hazards_graph(outcomes, 3)


def test_a_tree_without_a_split_is_exported(fit: Fit, rows: Rows) -> None:
    flat = fit("churn", {"min_data_in_leaf": 10_000})
    assert all(len(tree) == 1 for tree in forest_of(flat, 3))
    _check([_none("upgrade"), _none("downgrade"), flat], rows)


def test_hazards_that_sum_to_more_than_one_are_scaled(rows: Rows) -> None:
    outcomes = [_linear(name, intercept=3.0) for name in OUTCOMES]
    served = _run(hazards_graph(outcomes, 3), x=rows)[0]
    assert served.sum(axis=1).max() == pytest.approx(1.0, abs=1e-6)
    _check(outcomes, rows)


def test_shared_standardisation_is_computed_once() -> None:
    graph = onnx.load_from_string(hazards_graph([_linear(name) for name in OUTCOMES], 3))
    assert sum(node.op_type == "Clip" for node in graph.graph.node) == 1


def test_an_infinite_input_moves_a_linear_model_no_further_than_a_very_unusual_one() -> None:
    outcomes = [_linear(name) for name in OUTCOMES]
    rows = np.array([[np.inf, 0, 0], [1e30, 0, 0], [-np.inf, np.nan, np.inf]], np.float32)
    served = _run(hazards_graph(outcomes, 3), x=rows)[0]
    assert served[0].tobytes() == served[1].tobytes()
    assert np.isfinite(served).all()


@pytest.mark.parametrize(
    ("settings", "dataset", "what"),
    [
        ({"objective": "regression"}, {}, "objective"),
        ({"objective": "binary", "sigmoid": 2.0}, {}, "objective"),
        ({"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}, {}, "averaged"),
        ({"linear_tree": True}, {}, "linear trees"),
        ({"zero_as_missing": True}, {}, "zero_as_missing"),
        ({"min_data_per_group": 5}, {"categorical_feature": [2]}, "categorical"),
    ],
    ids=["regression", "sigmoid", "forest", "linear", "zero", "categorical"],
)
def test_models_that_the_graph_cannot_express_are_refused(
    fit: Fit, settings: dict[str, Any], dataset: dict[str, Any], what: str
) -> None:
    with pytest.raises(InvalidInput, match=what):
        forest_of(fit("upgrade", settings, **dataset), 3)


def test_a_model_of_other_features_is_refused(fit: Fit) -> None:
    with pytest.raises(InvalidInput, match="3 features"):
        forest_of(fit(), 4)
    with pytest.raises(InvalidInput, match="coefficients"):
        hazards_graph([_linear(name) for name in OUTCOMES], 4)


def test_each_outcome_is_needed_once() -> None:
    with pytest.raises(InvalidInput, match="one each"):
        hazards_graph([_none("upgrade"), _none("churn")], 3)
    with pytest.raises(InvalidInput, match="one each"):
        hazards_graph([_none("upgrade"), _none("churn"), _none("churn")], 3)


def test_every_feature_needs_a_group() -> None:
    outcomes = [_none(name) for name in OUTCOMES]
    for groups in ([], [0, 2], [-1]):
        with pytest.raises(InvalidInput, match="group"):
            attribution_graph(outcomes, groups, 2)


def test_effects_without_trust_have_no_numbers() -> None:
    graph = effects_graph(np.full((1, 2, 3), 0.1), np.full((1, 2, 3), 0.2), np.array([[1, 0]]), 3)
    mean, sd, trust = _run(
        graph,
        x=np.zeros((1, 3), np.float32),
        segment=np.zeros(1, np.int64),
        dose=np.full((1, 2), 0.1, np.float32),
    )
    assert mean[0, 0].tolist() == pytest.approx([0.1] * 3)
    assert sd[0, 0].tolist() == pytest.approx([0.2] * 3)
    assert not mean[0, 1].any()
    assert not sd[0, 1].any()
    assert trust.tolist() == [[1, 0]]


def test_the_quiet_rule_can_be_turned_off() -> None:
    table = np.full((1, 2, 3), 0.1)
    graph = effects_graph(table, table, np.ones((1, 2)), 3, quiet_dose=0.0)
    dose = np.zeros((1, 2), np.float32)
    mean = _run(graph, x=np.zeros((1, 3), np.float32), segment=np.zeros(1, np.int64), dose=dose)[0]
    assert mean.all()


@pytest.mark.parametrize(
    ("mean", "sd", "trust"),
    [
        (np.zeros((2, 2, 3)), np.zeros((1, 2, 3)), np.ones((1, 2))),
        (np.full((1, 2, 3), np.nan), np.zeros((1, 2, 3)), np.ones((1, 2))),
        (np.full((1, 2, 3), 2.0), np.zeros((1, 2, 3)), np.ones((1, 2))),
        (np.zeros((1, 2, 3)), np.full((1, 2, 3), -1.0), np.ones((1, 2))),
        (np.zeros((1, 2, 3)), np.zeros((1, 2, 3)), np.full((1, 2), 4)),
        (np.zeros((0, 2, 3)), np.zeros((0, 2, 3)), np.ones((0, 2))),
    ],
    ids=["shape", "nan", "size", "sd", "trust", "empty"],
)
def test_effects_that_make_no_sense_are_refused(mean: Any, sd: Any, trust: Any) -> None:
    with pytest.raises(InvalidInput):
        effects_graph(mean, sd, trust, 3)
