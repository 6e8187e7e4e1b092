"""When the log may speak about a policy, and when it must not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from training.off_policy.comparison import compare, compare_strata
from training.off_policy.estimator import Estimator
from training.off_policy.logged import LoggedBandit
from training.off_policy.overlap import Overlap, OverlapRule, Refused, kish, overlap
from training.off_policy.value import Estimate, ValueSettings, policy_value

Log = Callable[..., LoggedBandit]


def test_effective_rows_are_all_rows_when_the_policy_is_the_log(random_log: Log) -> None:
    found = overlap(random_log(), random_log().offered)
    assert found.effective_rows == pytest.approx(3000)
    assert found.effective_events == pytest.approx(float(random_log().reward.sum()))
    assert found.tail_events == pytest.approx(float(random_log().reward.sum()))
    assert found.effective_organisations == pytest.approx(1000)
    assert found.largest_organisation == pytest.approx(1 / 1000)
    assert found.unsupported == 0.0


def test_a_constant_arm_uses_a_third_of_a_uniform_log(random_log: Log) -> None:
    log = random_log()
    found = overlap(log, log.constant(2))
    assert found.effective_rows == pytest.approx(1000, rel=0.1)
    assert found.effective_events == float(((log.arm == 2) & (log.reward > 0)).sum())


def test_a_difference_counts_only_rows_on_which_the_policies_differ(random_log: Log) -> None:
    log = random_log()
    policy, static = log.constant(1), log.constant(1)
    policy[:300] = [0.0, 0.0, 1.0]
    found = overlap(log, policy, static)
    assert found.effective_rows == pytest.approx(200, rel=0.15)
    assert found.effective_organisations <= 100


def test_heavy_weights_that_were_never_drawn_are_seen_all_the_same(random_log: Log) -> None:
    log = random_log()
    offered = log.offered.copy()
    offered[:60] = [0.5, 0.4999, 0.0001]
    unlucky = LoggedBandit(
        reward=log.reward, arm=np.where(np.arange(3000) < 60, log.arm % 2, log.arm),
        offered=offered, cluster=log.cluster,
    )  # fmt: skip
    found = overlap(unlucky, unlucky.constant(2))
    weight = unlucky.constant(2)[:, 2] * (unlucky.arm == 2) / unlucky.propensity
    assert kish(weight) > 900
    assert found.effective_rows < 20
    assert isinstance(policy_value(unlucky, unlucky.constant(2)), Refused)


@pytest.mark.parametrize("estimator", list(Estimator))
def test_an_impossible_arm_is_refused_except_by_the_direct_method(
    random_log: Log, estimator: Estimator
) -> None:
    log = random_log()
    offered = np.tile([0.5, 0.5, 0.0], (3000, 1))
    never = LoggedBandit(
        reward=log.reward, arm=log.arm % 2, offered=offered, cluster=log.cluster,
        predicted=log.predicted,
    )  # fmt: skip
    policy = np.tile([0.4, 0.4, 0.2], (3000, 1))
    found = policy_value(never, policy, ValueSettings(estimator=estimator))
    if estimator is Estimator.DIRECT:
        assert isinstance(found, Estimate)
    else:
        assert isinstance(found, Refused)
        assert "20.000% of the policy was never possible" in found.reason


def test_each_limit_objects_by_name() -> None:
    good = Overlap(
        rows=5000, organisations=500, effective_rows=900.0, effective_events=200.0,
        tail_events=150.0, effective_organisations=300.0, largest_row=0.001,
        largest_organisation=0.01, unsupported=0.0,
    )  # fmt: skip
    assert OverlapRule().objection(good) == ""
    words = {
        "effective_rows": "effective rows",
        "effective_events": "effective events",
        "tail_events": "events after heavy weights",
        "effective_organisations": "effective organisations",
    }
    for name, said in words.items():
        low = Overlap(**(good.figures() | {name: 1.0}))  # type: ignore[arg-type]
        assert said in OverlapRule().objection(low)
    for name in ("largest_row", "largest_organisation", "unsupported"):
        high = Overlap(**(good.figures() | {name: 0.5}))  # type: ignore[arg-type]
        assert "50.000%" in OverlapRule().objection(high)
    blind = Overlap(**(good.figures() | {"effective_rows": float("nan")}))  # type: ignore[arg-type]
    assert OverlapRule().objection(blind)


def test_a_self_normalised_difference_needs_weights_of_both_policies(random_log: Log) -> None:
    log = random_log()
    offered = np.tile([0.4995, 0.4995, 0.001], (3000, 1))
    rare = LoggedBandit(
        reward=log.reward, arm=log.arm % 2, offered=offered, cluster=log.cluster
    )  # fmt: skip
    # Both play the hardly logged arm everywhere but on 600 rows: their difference is well seen.
    baseline, policy = rare.constant(2), rare.constant(2)
    baseline[:1200], policy[:1200] = [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]
    plain = compare(rare, policy, baseline, ValueSettings(estimator=Estimator.IPS))
    assert isinstance(plain.difference, Estimate)
    divided = compare(rare, policy, baseline, ValueSettings(estimator=Estimator.SNIPS))
    assert isinstance(divided.difference, Refused)
    assert "effective rows" in divided.difference.reason


def test_a_policy_alone_may_be_refused_where_its_difference_is_not(random_log: Log) -> None:
    log = random_log(360)
    found = compare(log, log.constant(1), log.constant(0))
    assert isinstance(found.policy, Refused)
    assert "effective events" in found.policy.reason
    assert isinstance(found.difference, Estimate)
    # The share is still taken of something.
    assert 0.1 < found.scale < 0.6


def test_without_any_event_there_is_a_refusal_not_a_zero(random_log: Log) -> None:
    log = random_log()
    still = LoggedBandit(
        reward=np.zeros(3000), arm=log.arm, offered=log.offered, cluster=log.cluster
    )
    found = policy_value(still, still.constant(0))
    assert isinstance(found, Refused)
    assert "0.0 effective events" in found.reason


def test_strata_are_compared_apart(random_log: Log) -> None:
    log = random_log()
    found = compare_strata(log, log.constant(0), log.constant(1))
    assert sorted(found) == [0, 1]
    assert {each.policy.overlap.rows for each in found.values() if each.policy.overlap} == {1500}
    bare = LoggedBandit(reward=log.reward, arm=log.arm, offered=log.offered, cluster=log.cluster)
    assert compare_strata(bare, log.constant(0), log.constant(1)) == {}
