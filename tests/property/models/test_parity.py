"""Trained and served agree on any float32, the neighbours of every threshold included."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from training.export.forest import forest_of
from training.export.parity import reference_hazards, threshold_rows, worst_difference
from training.export.threshold import ZERO_BOUND, served_threshold

WIDTH = 7
#: Float32 sums of twenty trees; one leaf taken wrongly is a hundred times more.
TOLERANCE = 1e-6

any_float32 = st.floats(width=32, allow_nan=True, allow_infinity=True)
any_rows = npst.arrays(
    np.float32, st.tuples(st.integers(1, 20), st.just(WIDTH)), elements=any_float32
)


def lightgbm_goes_left(value: np.float32, threshold: float) -> bool:
    """LightGBM's own rule for a value that is not missing (tree.h, NumericalDecision)."""
    read = 0.0 if abs(float(value)) <= float(ZERO_BOUND) else float(value)
    return read <= threshold


@settings(max_examples=500, deadline=None)
@given(st.floats(allow_nan=False), st.floats(width=32, allow_nan=False))
@example(1e-35, 1e-35)
@example(-1.0000000180025095e-35, -1.0000000180025095e-35)
@example(1e300, math.inf)
@example(-1e300, -math.inf)
@example(math.inf, math.inf)
@example(0.1, 0.10000000149011612)
def test_a_served_threshold_decides_as_lightgbm_does(threshold: float, value: float) -> None:
    served = served_threshold(threshold)
    with np.errstate(over="ignore"):
        middle = np.float32(threshold)
        around = [np.nextafter(middle, np.float32(side)) for side in (-np.inf, np.inf)]
    for x in (np.float32(value), middle, *around, ZERO_BOUND, -ZERO_BOUND, np.float32(0)):
        assert bool(x <= served) == lightgbm_goes_left(x, threshold)


def test_a_threshold_that_is_not_a_number_is_refused() -> None:
    with pytest.raises(ValueError, match="NaN"):
        served_threshold(math.nan)


@settings(max_examples=150, deadline=None)
@given(rows=any_rows)
@example(rows=np.full((1, WIDTH), np.nan, np.float32))
@example(rows=np.full((2, WIDTH), np.inf, np.float32))
@example(rows=np.full((2, WIDTH), -np.inf, np.float32))
@example(rows=np.full((2, WIDTH), -0.0, np.float32))
@example(rows=np.full((2, WIDTH), 1e-45, np.float32))
def test_any_row_scores_as_the_fitted_models_say(fitted: Any, rows: Any) -> None:
    assert worst_difference(fitted.scorer, fitted.outcomes, rows) <= TOLERANCE


def test_every_threshold_and_its_neighbours_score_alike(fitted: Any) -> None:
    rows = threshold_rows(fitted.outcomes, fitted.sample)
    splits = sum(
        not node.is_leaf
        for model in fitted.outcomes
        if model.kind == "lightgbm"
        for tree in forest_of(model, WIDTH)
        for node in tree
    )
    assert splits > 200
    assert len(rows) > splits
    assert worst_difference(fitted.scorer, fitted.outcomes, rows) <= TOLERANCE


def test_threshold_rows_catch_rounding_to_nearest(
    fitted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check can fail: with thresholds rounded to nearest, these rows go astray."""
    from models.bundle import Bundle
    from models.scorer import Scorer
    from training.export import ensemble
    from training.export.hazards import hazards_graph

    monkeypatch.setattr(ensemble, "served_threshold", np.float32)
    graph = hazards_graph(fitted.outcomes, WIDTH)
    stock = Bundle(fitted.bundle.manifest, {**fitted.bundle.graphs, "hazards.onnx": graph})
    rows = threshold_rows(fitted.outcomes, fitted.sample)
    assert worst_difference(Scorer(stock), fitted.outcomes, rows) > 100 * TOLERANCE


def test_training_rows_score_alike(fitted: Any) -> None:
    assert worst_difference(fitted.scorer, fitted.outcomes, fitted.sample) <= TOLERANCE


@settings(max_examples=150, deadline=None)
@given(rows=any_rows)
def test_hazards_are_probabilities_that_sum_to_one_at_most(fitted: Any, rows: Any) -> None:
    hazards = fitted.scorer.hazards(rows)
    assert np.isfinite(hazards).all()
    assert (hazards >= 0).all()
    assert (hazards.sum(axis=1) <= 1 + 1e-6).all()
    assert np.isfinite(fitted.scorer.attribute(rows)).all()


@settings(max_examples=100, deadline=None)
@given(rows=any_rows)
def test_contributions_and_the_average_add_up_to_the_log_odds(fitted: Any, rows: Any) -> None:
    total = fitted.scorer.attribute(rows).sum(axis=2)
    for at, model in enumerate(fitted.outcomes):
        base = (
            sum(tree[0].value for tree in forest_of(model, WIDTH))
            if model.linear is None
            else model.linear.intercept
        )
        expected = (model.log_odds(rows) - base) * model.calibration.slope
        assert np.allclose(total[:, at], expected, rtol=1e-4, atol=1e-4)


@settings(max_examples=60, deadline=None)
@given(rows=any_rows)
def test_a_row_scores_the_same_in_any_batch(fitted: Any, rows: Any) -> None:
    together = fitted.scorer.hazards(rows)
    alone = np.concatenate([fitted.scorer.hazards(rows[at : at + 1]) for at in range(len(rows))])
    assert together.tobytes() == alone.tobytes()


def test_the_reference_scales_competing_hazards(fitted: Any) -> None:
    assert (reference_hazards(fitted.outcomes, fitted.sample).sum(axis=1) <= 1 + 1e-12).all()
