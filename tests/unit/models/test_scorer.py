"""Scores: shapes, segments, chunks and inputs that are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from flyball.errors import BundleCorrupt, InvalidInput
from models.bundle import Bundle
from models.golden import check_golden
from models.scorer import CHUNK_ROWS, Scorer


def _inputs(rows: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    random = np.random.default_rng(rows)
    x = random.normal(size=(rows, 4)).astype(np.float32)
    x[random.random(x.shape) < 0.1] = np.nan
    segment = random.integers(0, 3, rows)
    return x, segment, random.uniform(-0.2, 0.3, (rows, 5)).astype(np.float32)


def test_outputs_have_the_shapes_of_the_format(draft: Bundle) -> None:
    scorer = Scorer(draft)
    x, segment, dose = _inputs(7)
    scores = scorer.score(x, segment, dose)
    assert scores.hazards.shape == (7, 3)
    assert scores.mean.shape == scores.sd.shape == (7, 5, 3)
    assert scores.trust.shape == (7, 5)
    assert scorer.attribute(x).shape == (7, 3, 2)
    assert len(scores) == 7


def test_no_rows_give_no_scores(draft: Bundle) -> None:
    scores = Scorer(draft).score(*_inputs(0))
    assert len(scores) == 0


@pytest.mark.parametrize("threads", [1, 2])
def test_a_row_scores_the_same_alone_and_in_any_batch(draft: Bundle, threads: int) -> None:
    scorer = Scorer(draft, threads=threads)
    x, segment, dose = _inputs(2 * CHUNK_ROWS + 5)
    many = scorer.score(x, segment, dose)
    credit = scorer.attribute(x)
    hazards = scorer.hazards(x)
    for row in (0, 1, CHUNK_ROWS - 1, CHUNK_ROWS, len(x) - 1):
        part = slice(row, row + 1)
        one = scorer.score(x[part], segment[part], dose[part])
        assert one.hazards.tobytes() == many.hazards[part].tobytes() == hazards[part].tobytes()
        assert one.mean.tobytes() == many.mean[part].tobytes()
        assert one.sd.tobytes() == many.sd[part].tobytes()
        assert one.trust.tobytes() == many.trust[part].tobytes()
        assert scorer.attribute(x[part]).tobytes() == credit[part].tobytes()


def test_an_unknown_segment_gets_the_last_row_of_the_table(draft: Bundle) -> None:
    scorer = Scorer(draft)
    x, _, dose = _inputs(4)
    segment = np.array([2, 3, -1, 2**62])
    scores = scorer.score(x, segment, dose)
    assert (scores.mean == scores.mean[0]).all()
    assert (scores.trust == 1).all()


def test_there_is_no_effect_where_no_arm_changes_what_is_blocked(draft: Bundle) -> None:
    scorer = Scorer(draft)
    x, segment, _ = _inputs(3)
    dose = np.array([[0.004] * 5, [0.1, 0.0, 0.0, 0.0, 0.0], [np.nan] * 5], np.float32)
    scores = scorer.score(x, np.zeros_like(segment), dose)
    assert not scores.mean[0].any()
    assert not scores.sd[0].any()
    assert scores.mean[1].any()
    assert scores.mean[2].any()


def test_an_arm_without_evidence_has_no_numbers(draft: Bundle) -> None:
    x, segment, dose = _inputs(1)
    scores = Scorer(draft).score(x, np.ones_like(segment), dose)
    assert scores.trust[0, 4] == 0
    assert not scores.mean[0, 4].any()


def test_an_outcome_without_a_model_gives_its_base_rate(draft: Bundle) -> None:
    x, segment, dose = _inputs(5)
    hazards = Scorer(draft).score(x, segment, dose).hazards
    assert np.allclose(hazards[:, 1], 0.01, atol=1e-7)


@pytest.mark.parametrize("field", ["x", "segment", "dose"])
def test_wrong_types_and_shapes_are_refused(draft: Bundle, field: str) -> None:
    scorer = Scorer(draft)
    good: dict[str, Any] = dict(zip(("x", "segment", "dose"), _inputs(3), strict=True))
    for wrong in (good[field].astype(np.float16), good[field][..., :2][:2], good[field][None]):
        with pytest.raises(InvalidInput, match=field):
            scorer.score(**{**good, field: wrong})


def test_threads_must_be_positive(draft: Bundle) -> None:
    with pytest.raises(InvalidInput):
        Scorer(draft, threads=0)


def test_a_graph_that_cannot_be_loaded_is_named(draft: Bundle) -> None:
    broken = Bundle(draft.manifest, {**draft.graphs, "effects.onnx": b"not a graph"})
    with pytest.raises(BundleCorrupt, match=r"effects\.onnx"):
        Scorer(broken)


def test_golden_rows_of_a_draft_agree(draft: Bundle) -> None:
    check_golden(Scorer(draft, threads=2))
