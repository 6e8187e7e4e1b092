"""A draft holds together before it is signed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from flyball.errors import InvalidInput
from models.golden import check_golden
from models.scorer import Scorer
from training.export.draft import Training, draft_bundle, with_gates
from training.export.parity import threshold_rows, worst_difference
from training.outcome_model import FittedOutcome


@pytest.fixture(scope="session")
def training(fit: Callable[..., FittedOutcome], rows: NDArray[np.float32]) -> Training:
    return Training(
        version="v1",
        created_us=5,
        as_of_us=4,
        features=("a", "b", "c"),
        feature_hash="ab" * 16,
        factor_groups={"first": ("c", "a"), "second": ("b",)},
        outcomes=(fit("upgrade"), fit("churn"), FittedOutcome("downgrade", "none", 0.01)),
        arms=(85, 100, 115),
        period_days=7,
        segments=(),
        effect_mean=np.zeros((1, 3, 3)),
        effect_sd=np.zeros((1, 3, 3)),
        effect_trust=np.zeros((1, 3)),
        sample=rows,
    )


def test_a_draft_scores_its_golden_rows(training: Training) -> None:
    bundle = draft_bundle(training)
    assert len(bundle.manifest.golden.x) == 8
    check_golden(Scorer(bundle))


def test_contributions_follow_the_groups_of_the_manifest(
    training: Training, rows: NDArray[np.float32]
) -> None:
    scorer = Scorer(draft_bundle(training))
    assert [group.name for group in scorer.manifest.factor_groups] == ["first", "second"]
    contribution = scorer.attribute(rows)[:, 0]
    # The label depends on a and c only.
    assert np.abs(contribution[:, 0]).mean() > 5 * np.abs(contribution[:, 1]).mean()


def test_gates_and_metrics_are_added_without_building_again(training: Training) -> None:
    bundle = draft_bundle(training)
    gated = with_gates(bundle, gates=[{"name": "parity", "verdict": "passed"}], metrics={"a": 1})
    assert gated.manifest.gates == [{"name": "parity", "verdict": "passed"}]
    assert gated.manifest.metrics == {"a": 1}
    assert gated.graphs is bundle.graphs


def test_parity_is_measured_at_thresholds(training: Training, rows: NDArray[np.float32]) -> None:
    scorer = Scorer(draft_bundle(training))
    probes = threshold_rows(training.outcomes, rows, limit=10)
    assert len(probes) == 10 + 3 * 11
    assert worst_difference(scorer, training.outcomes, probes) < 1e-6
    assert worst_difference(scorer, training.outcomes, probes[:0]) == 0.0


def test_infinities_and_missing_values_in_the_sample_are_fine(training: Training) -> None:
    sample = np.array([[np.nan, np.inf, -np.inf]])
    check_golden(Scorer(draft_bundle(replace(training, sample=sample))))


@pytest.mark.parametrize(
    "changes",
    [
        {"arms": (85, 115, 130)},
        {"segments": ("x",)},
        {"effect_mean": np.full((1, 3, 3), 0.1)},
        {"factor_groups": {"first": ("a", "b")}},
        {"factor_groups": {"first": ("a", "b", "c"), "second": ("c",)}},
        {"sample": np.zeros((0, 3))},
        {"sample": np.zeros((3, 2))},
    ],
    ids=["arms", "segments", "neutral", "group_missing", "group_twice", "no_rows", "width"],
)
def test_what_does_not_agree_is_refused(training: Training, changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        draft_bundle(replace(training, **changes))
