"""Graphs that say something else than what was fitted, or say it too late, are refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from tests.integration.training.refusing import (
    Refusal,
    assert_refused,
)
from training.dataset import Dataset
from training.export.attribution import attribution_graph
from training.export.dose_effects import dose_effects_graph
from training.export.hazards import hazards_graph
from training.outcome_model import FittedOutcome, Platt

pytestmark = [pytest.mark.train, pytest.mark.slow]


def test_probabilities_of_the_graph(
    attempt: Callable[..., Refusal], dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:

    def loses_a_digit(outcomes: Sequence[FittedOutcome], width: int) -> bytes:
        rounded = [
            replace(each, calibration=Platt(round(each.calibration.slope, 2), each_shift(each)))
            for each in outcomes
        ]
        return hazards_graph(rounded, width)

    def each_shift(each: FittedOutcome) -> float:
        return round(each.calibration.intercept, 1)

    monkeypatch.setattr("training.export.draft.hazards_graph", loses_a_digit)
    assert_refused(attempt(dataset), "onnx_parity")


def test_effects_of_the_graph(
    attempt: Callable[..., Refusal], dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "training.estimators.served.dose_effects_graph",
        lambda model, width: dose_effects_graph(model, width, quiet_dose=0.0),
    )
    assert_refused(attempt(dataset), "onnx_parity.effects")


def test_attribution_of_the_graph(
    attempt: Callable[..., Refusal], dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "training.export.draft.attribution_graph",
        lambda outcomes, groups, count: attribution_graph(outcomes, groups[::-1], count),
    )
    assert_refused(attempt(dataset), "onnx_parity.attribution")


def test_scoring_latency(attempt: Callable[..., Refusal], dataset: Dataset) -> None:
    assert_refused(attempt(dataset, latency_ratio=0.001), "scoring_latency")


def test_feature_contract(
    attempt: Callable[..., Refusal], dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("features.catalogue.feature_hash", lambda: "cd" * 8)
    assert_refused(attempt(dataset), "feature_contract")
