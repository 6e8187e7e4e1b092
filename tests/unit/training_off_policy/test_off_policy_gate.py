"""The veto blocks what loses, passes what surely does not, and is silent otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from training.gate import Verdict
from training.off_policy.comparison import Comparison, compare
from training.off_policy.estimator import Estimator
from training.off_policy.logged import LoggedBandit
from training.off_policy.off_policy_gate import off_policy_gate
from training.off_policy.value import Estimate, ValueSettings

Log = Callable[..., LoggedBandit]


@pytest.fixture
def paying(random_log: Log) -> LoggedBandit:
    """Arm 0 pays far more often than arm 2; arm 1 is static."""
    log = random_log(6000)
    chance = np.asarray([0.5, 0.3, 0.1])[log.arm]
    generator = np.random.default_rng(8)
    return replace(log, reward=(generator.random(6000) < chance).astype(np.float64))


def test_a_policy_that_loses_is_failed_with_its_figure(paying: LoggedBandit) -> None:
    gate = off_policy_gate(compare(paying, paying.constant(2), paying.constant(1)))
    assert gate.verdict is Verdict.FAILED
    assert gate.figure is not None
    assert -0.8 < gate.figure < -0.4
    assert "upper bound" in gate.sentence()


def test_a_policy_that_wins_is_not_stopped(paying: LoggedBandit) -> None:
    gate = off_policy_gate(compare(paying, paying.constant(0), paying.constant(1)))
    assert gate.verdict is Verdict.PASSED
    assert gate.figure is not None
    assert gate.figure > 0.3
    assert gate.threshold == -0.01


def test_too_wide_an_interval_cannot_speak(paying: LoggedBandit) -> None:
    policy = paying.constant(1)
    policy[::2] = [0.5, 0.0, 0.5]
    gate = off_policy_gate(compare(paying, policy, paying.constant(1)))
    assert gate.verdict is Verdict.NOT_APPLICABLE
    assert "too wide to say" in gate.reason


def test_a_policy_equal_to_static_is_not_applicable(paying: LoggedBandit) -> None:
    gate = off_policy_gate(compare(paying, paying.constant(1), paying.constant(1)))
    assert gate.verdict is Verdict.NOT_APPLICABLE
    assert gate.reason == "the policy is static on these rows"


def test_bad_overlap_is_not_applicable_and_says_what_is_missing(paying: LoggedBandit) -> None:
    few = paying.take(np.arange(6000) < 300)
    gate = off_policy_gate(compare(few, few.constant(0), few.constant(1)))
    assert gate.verdict is Verdict.NOT_APPLICABLE
    assert "88.0 effective rows, 100 are needed" in gate.reason


def test_the_direct_method_never_gates(paying: LoggedBandit) -> None:
    settings = ValueSettings(estimator=Estimator.DIRECT)
    sure = compare(paying, paying.constant(2), paying.constant(1), settings)
    assert isinstance(sure.difference, Estimate)
    gate = off_policy_gate(sure)
    assert gate.verdict is Verdict.NOT_APPLICABLE
    assert "never gates" in gate.reason


def test_switch_dr_gates_only_where_it_did_not_switch(paying: LoggedBandit) -> None:
    def judged(threshold: float) -> Comparison:
        settings = ValueSettings(estimator=Estimator.SWITCH_DR, threshold=threshold)
        return compare(paying, paying.constant(0), paying.constant(1), settings)

    assert off_policy_gate(judged(np.inf)).verdict is Verdict.PASSED
    switched = off_policy_gate(judged(1.0))
    assert switched.verdict is Verdict.NOT_APPLICABLE
    assert "rests on the outcome model" in switched.reason


@pytest.mark.parametrize(
    "estimator", [Estimator.IPS, Estimator.SNIPS, Estimator.DR, Estimator.SNDR]
)
def test_every_weighted_estimator_gives_the_same_verdict_here(
    paying: LoggedBandit, estimator: Estimator
) -> None:
    settings = ValueSettings(estimator=estimator)
    bad = off_policy_gate(compare(paying, paying.constant(2), paying.constant(1), settings))
    assert bad.verdict is Verdict.FAILED
