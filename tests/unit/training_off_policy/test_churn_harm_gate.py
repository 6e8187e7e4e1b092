"""Added churn is refused where it is sure, passed where it surely stays below the cap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from training.gate import Verdict
from training.off_policy.comparison import Comparison, compare
from training.off_policy.logged import LoggedBandit
from training.off_policy.value import Estimate
from training.policy_gates import HARM, _harm_of


@pytest.fixture
def compared(random_log: Callable[..., LoggedBandit]) -> tuple[Comparison, Estimate]:
    """A policy that makes more tenants leave, and its interval."""
    log = random_log(6000)
    chance = np.asarray([0.3, 0.1, 0.05])[log.arm]
    generator = np.random.default_rng(8)
    log = replace(log, reward=(generator.random(6000) < chance).astype(np.float64))
    found = compare(log, log.constant(0), log.constant(1))
    assert isinstance(found.difference, Estimate)
    assert found.difference.floor < found.difference.value < found.difference.ceiling
    return found, found.difference


def test_the_lower_bound_fails_and_the_upper_bound_passes(
    compared: tuple[Comparison, Estimate],
) -> None:
    found, estimate = compared
    failed = _harm_of(found, HARM, estimate.floor - 0.001)
    assert (failed.verdict, failed.figure) == (Verdict.FAILED, estimate.floor)
    passed = _harm_of(found, HARM, estimate.ceiling)
    assert (passed.verdict, passed.figure) == (Verdict.PASSED, estimate.ceiling)
    assert failed.setting == passed.setting == "gates.churn_cap"


def test_an_interval_around_the_cap_cannot_speak(compared: tuple[Comparison, Estimate]) -> None:
    found, estimate = compared
    unsure = _harm_of(found, HARM, estimate.value)
    assert unsure.verdict is Verdict.NOT_APPLICABLE
    assert "too wide to say" in unsure.reason
