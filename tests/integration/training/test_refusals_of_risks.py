"""Predictions that are wrong are refused, each way of being wrong by its own gate."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.integration.training.refusing import (
    Refusal,
    assert_refused,
    changed,
    column,
)
from training.dataset import Bools, Dataset, Floats
from training.outcome import Outcome
from training.split import split_rows

pytestmark = [pytest.mark.train, pytest.mark.slow]


def churn_in_test(dataset: Dataset, choose: Callable[[Bools, Bools, Floats], Bools]) -> Dataset:
    """Judged weeks in which other tenants churn: ``choose(churned, free, risk)`` over those rows.

    ``free`` are rows without any outcome, ``risk`` grows with the log-odds of churn.
    """
    test, outcome = split_rows(dataset).test, dataset.codes().copy()
    churned = outcome[test] == int(Outcome.CHURN)
    free = outcome[test] == 0
    now = choose(churned, free, -column(dataset, "logins")[test])
    late = outcome[test]
    late[churned & ~now] = 0
    late[now & (churned | free)] = int(Outcome.CHURN)
    outcome[test] = late
    return changed(dataset, outcome=outcome)


def to_the_least_likely(churned: Bools, free: Bools, risk: Floats) -> Bools:
    order = np.argsort(np.where(churned | free, risk, np.inf), kind="stable")
    now = np.zeros(len(churned), dtype=bool)
    now[order[: int(churned.sum())]] = True
    return now


def half_of_the_most_likely(churned: Bools, free: Bools, risk: Floats) -> Bools:
    order = np.argsort(-risk, kind="stable")[: len(risk) // 8]
    spared = [at for at in order if churned[at]]
    now = churned.copy()
    now[spared[: int(0.6 * len(spared))]] = False
    return now


def half_to_the_most_likely(churned: Bools, free: Bools, risk: Floats) -> Bools:
    now: Bools = churned & (np.arange(len(churned)) % 2 == 0)
    order = np.argsort(np.where(free, -risk, np.inf), kind="stable")
    now[order[: int(churned.sum() - now.sum())]] = True
    return now


def several_times_as_many(
    churned: Bools, free: Bools, risk: Floats, *, only: Bools | None = None
) -> Bools:
    rng = np.random.default_rng(12)
    able = free if only is None else free & only
    weight = np.where(able, np.exp(np.clip(risk, -3.0, 3.0)), 0.0)
    count = 6 * int((churned if only is None else churned & only).sum())
    more = rng.choice(len(free), count, replace=False, p=weight / weight.sum())
    now = churned.copy()
    now[more] = True
    return now


def test_log_loss_against_the_base_rate(attempt: Callable[..., Refusal], dataset: Dataset) -> None:
    rows = churn_in_test(dataset, to_the_least_likely)
    assert_refused(attempt(rows, closed=()), "log_loss_vs_base.churn")


def test_brier_score_against_the_base_rate(
    attempt: Callable[..., Refusal], dataset: Dataset
) -> None:
    rows = churn_in_test(dataset, half_of_the_most_likely)
    assert_refused(attempt(rows, closed=(), brier_errors=0), "brier_vs_base.churn")


def test_calibration_slope(attempt: Callable[..., Refusal], dataset: Dataset) -> None:
    rows = churn_in_test(dataset, half_to_the_most_likely)
    assert_refused(attempt(rows, closed=("slope_low", "slope_high")), "calibration_slope.churn")


def test_calibration_error(attempt: Callable[..., Refusal], dataset: Dataset) -> None:
    rows = churn_in_test(dataset, several_times_as_many)
    assert_refused(attempt(rows, closed=("error_share",)), "calibration_error.churn")


def test_calibration_error_of_one_segment(
    attempt: Callable[..., Refusal], dataset: Dataset
) -> None:
    smb = np.asarray(dataset.text("segment"))[split_rows(dataset).test] == "smb"
    rows = churn_in_test(dataset, lambda c, f, r: several_times_as_many(c, f, r, only=smb))
    refused = attempt(rows, closed=("segment_error_share",))
    assert_refused(refused, "calibration_error.churn.smb")


@pytest.fixture
def broken_join(dataset: Dataset) -> Dataset:
    """What taught the candidate had another tenant's growth; what judges it has not."""
    growth, test = column(dataset, "growth"), split_rows(dataset).test
    taught = np.flatnonzero(~test)
    growth[taught] = growth[np.random.default_rng(5).permutation(taught)]
    return changed(dataset, growth=growth)


def test_log_loss_against_the_champion(
    attempt: Callable[..., Refusal], broken_join: Dataset
) -> None:
    found = attempt(broken_join, closed=("margin_errors",))
    assert_refused(found, "log_loss_vs_champion.upgrade", others=True)


def test_brier_score_against_the_champion(
    attempt: Callable[..., Refusal], broken_join: Dataset
) -> None:
    found = attempt(broken_join, closed=("brier_errors",))
    assert_refused(found, "brier_vs_champion.upgrade", others=True)


def test_too_little_evidence(attempt: Callable[..., Refusal], dataset: Dataset) -> None:
    found = attempt(dataset.take(np.arange(len(dataset)) % 40 == 0))
    assert found.told["gates"]["status"] == "insufficient"
    assert found.code == 3
    assert found.told["champion"] == found.champion
    assert "too little evidence; version 2 stays champion" in found.errors
