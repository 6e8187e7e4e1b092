"""Clustered errors, Student's t, and the clustered bootstrap."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from training.clustered import clustered_mean
from training.off_policy.comparison import compare
from training.off_policy.estimator import Estimator, Ratio
from training.off_policy.interval import (
    IntervalKind,
    bootstrap_interval,
    cluster_totals,
    t_interval,
)
from training.off_policy.logged import LoggedBandit
from training.off_policy.student import student_quantile
from training.off_policy.value import Estimate, ValueSettings

Log = Callable[..., LoggedBandit]
Valued = Callable[..., Estimate]


def test_student_quantiles_are_those_of_the_tables() -> None:
    tables = {1: 12.706, 2: 4.303, 3: 3.182, 5: 2.571, 10: 2.228, 30: 2.042, 1000: 1.962}
    for degrees, wanted in tables.items():
        assert student_quantile(0.975, degrees) == pytest.approx(wanted, rel=4e-3)
    assert student_quantile(0.95, 20) == pytest.approx(1.7247, rel=1e-3)
    assert student_quantile(0.975, 0.5) == math.inf


def test_the_error_of_ips_is_that_of_a_clustered_mean(random_log: Log, valued: Valued) -> None:
    log = random_log(900)
    target = log.constant(0)
    weighted = log.assigned(target) / log.propensity * log.reward
    found = valued(log, target, Estimator.IPS)
    wanted = clustered_mean(weighted, log.cluster)
    assert found.value == pytest.approx(wanted.mean)
    assert found.error == pytest.approx(wanted.error)


def test_rows_that_move_together_widen_the_interval(random_log: Log, valued: Valued) -> None:
    log = random_log(600)
    alone = replace(log, cluster=np.arange(600))
    copies = np.repeat(np.arange(600), 4)
    together = LoggedBandit(
        reward=alone.reward[copies], arm=alone.arm[copies], offered=alone.offered[copies],
        cluster=alone.cluster[copies],
    )  # fmt: skip
    apart = replace(together, cluster=np.arange(2400))
    target = log.constant(1)
    one = valued(alone, target, Estimator.SNIPS)
    same = valued(together, target[copies], Estimator.SNIPS)
    fooled = valued(apart, target[copies], Estimator.SNIPS)
    assert same.error == pytest.approx(one.error)
    assert fooled.error == pytest.approx(one.error / 2.0, rel=1e-2)


def test_one_organisation_gives_no_interval(tiny: LoggedBandit, valued: Valued) -> None:
    alone = replace(tiny, cluster=np.zeros(6, dtype=np.int64))
    for kind in IntervalKind:
        found = valued(alone, alone.offered, Estimator.IPS, interval=kind)
        assert (found.low, found.high) == (-math.inf, math.inf)


def test_one_sided_bounds_lie_inside_the_two_sided_interval(
    random_log: Log, valued: Valued
) -> None:
    log = random_log()
    for kind in IntervalKind:
        found = valued(log, log.constant(1), Estimator.SNIPS, interval=kind, draws=200)
        assert found.low < found.floor < found.value < found.ceiling < found.high


def test_the_bootstrap_repeats_itself_and_agrees_with_t_on_much_data(
    random_log: Log, valued: Valued
) -> None:
    log = random_log(3000)
    for estimator in (Estimator.IPS, Estimator.SNDR):
        ways = {"interval": IntervalKind.BOOTSTRAP, "seed": 3, "draws": 400}
        first = valued(log, log.constant(1), estimator, **ways)
        assert first == valued(log, log.constant(1), estimator, **ways)
        t = valued(log, log.constant(1), estimator)
        assert first.high - first.low == pytest.approx(t.high - t.low, rel=0.15)
        assert first.error == t.error


def test_the_bootstraps_own_errors_match_a_plain_recalculation() -> None:
    generator = np.random.default_rng(5)
    cluster = np.arange(40)
    columns = generator.gamma(2.0, size=(4, 40))
    ratios = (Ratio(columns[0], columns[1]), Ratio(columns[2], columns[3], -1.0))
    totals = cluster_totals(ratios, cluster)
    values, errors = totals.resampled(5, seed=9)
    drawn = np.random.Generator(np.random.Philox(9)).multinomial(40, np.full(40, 1 / 40), size=5)
    for times, value, error in zip(drawn, values, errors, strict=True):
        again = np.repeat(np.arange(40), times)
        part = [Ratio(r.numerator[again], r.denominator[again], r.sign) for r in ratios]
        # Each copy counts as an organisation of its own.
        whole = cluster_totals(part, np.arange(40))
        assert value == pytest.approx(whole.value())
        assert error == pytest.approx(whole.error())


def test_a_skewed_estimate_gets_a_skewed_bootstrap_interval() -> None:
    generator = np.random.default_rng(2)
    money = generator.lognormal(0.0, 1.2, size=150)
    totals = cluster_totals((Ratio(money, np.ones(150)),), np.arange(150))
    found, t = bootstrap_interval(totals, 0.95), t_interval(totals, 149.0, 0.95)
    value = totals.value()
    assert found.high - value > 1.15 * (value - found.low)
    assert t.high - value == pytest.approx(value - t.low)


def test_paired_differences_are_surer_than_unpaired_ones(random_log: Log) -> None:
    log = random_log(6000)
    policy = log.constant(1)
    policy[:600] = [1.0, 0.0, 0.0]
    found = compare(log, policy, log.constant(1), ValueSettings(estimator=Estimator.IPS))
    estimates = (found.policy, found.baseline, found.difference)
    assert all(isinstance(each, Estimate) for each in estimates)
    errors = [each.error for each in estimates if isinstance(each, Estimate)]
    assert errors[2] < 0.6 * math.hypot(errors[0], errors[1])
    values = [each.value for each in estimates if isinstance(each, Estimate)]
    assert values[2] == pytest.approx(values[0] - values[1])
    assert found.moved == pytest.approx(0.1)
