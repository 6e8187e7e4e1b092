"""What must hold of off-policy values on any log."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.dataset import Floats, Ints
from training.off_policy.comparison import compare
from training.off_policy.estimator import Estimator
from training.off_policy.logged import LoggedBandit
from training.off_policy.overlap import OverlapRule, Refused, kish, overlap
from training.off_policy.value import Estimate, ValueSettings, policy_value

OPEN = OverlapRule(
    min_effective_rows=0.0, min_effective_events=0.0, min_tail_events=0.0,
    min_effective_organisations=0.0, max_row_share=1.0, max_organisation_share=1.0,
    max_unsupported=1.0,
)  # fmt: skip
ESTIMATORS = st.sampled_from(list(Estimator))


@st.composite
def logs(draw: st.DrawFn) -> tuple[LoggedBandit, Floats]:
    """A random log of 10 to 80 rows with 2 to 4 arms, and a policy on it."""
    rows, arms = draw(st.integers(10, 80)), draw(st.integers(2, 4))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    offered = generator.dirichlet(np.full(arms, 2.0), size=rows)
    offered = (offered + 0.02) / (1.0 + 0.02 * arms)
    arm = np.asarray([generator.choice(arms, p=row) for row in offered], dtype=np.int64)
    log = LoggedBandit(
        reward=generator.normal(size=rows) * (generator.random(rows) < 0.7),
        arm=arm,
        offered=offered,
        cluster=generator.integers(0, max(3, rows // 3), rows),
        predicted=generator.normal(size=(rows, arms)),
    )
    return log, generator.dirichlet(np.ones(arms), size=rows)


def estimate(log: LoggedBandit, policy: Floats, estimator: Estimator) -> Estimate:
    # A fixed threshold, so that Switch-DR is the same function on both sides of a comparison.
    found = policy_value(log, policy, ValueSettings(estimator=estimator, rule=OPEN, threshold=1.5))
    assert isinstance(found, Estimate)
    return found


def same(one: Estimate, other: Estimate) -> None:
    assert other.value == pytest.approx(one.value, abs=1e-9)
    assert other.error == pytest.approx(one.error, abs=1e-9)
    assert other.low == pytest.approx(one.low, abs=1e-9)


def ordered(log: LoggedBandit, order: Ints) -> LoggedBandit:
    assert log.predicted is not None
    return LoggedBandit(
        reward=log.reward[order], arm=log.arm[order], offered=log.offered[order],
        cluster=log.cluster[order], predicted=log.predicted[order],
    )  # fmt: skip


@given(logs(), ESTIMATORS, st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_the_order_of_rows_and_the_names_of_organisations_do_not_matter(
    drawn: tuple[LoggedBandit, Floats], estimator: Estimator, seed: int
) -> None:
    log, policy = drawn
    order = np.random.default_rng(seed).permutation(len(log))
    moved = ordered(log, order)
    renamed = replace(moved, cluster=1000 - moved.cluster)
    same(estimate(log, policy, estimator), estimate(renamed, policy[order], estimator))


@given(logs(), ESTIMATORS)
@settings(max_examples=40, deadline=None)
def test_the_order_of_arms_does_not_matter(
    drawn: tuple[LoggedBandit, Floats], estimator: Estimator
) -> None:
    log, policy = drawn
    assert log.predicted is not None
    flipped = replace(
        log, arm=log.arms - 1 - log.arm, offered=log.offered[:, ::-1],
        predicted=log.predicted[:, ::-1],
    )  # fmt: skip
    same(estimate(log, policy, estimator), estimate(flipped, policy[:, ::-1], estimator))


@given(logs(), ESTIMATORS)
@settings(max_examples=40, deadline=None)
def test_copies_of_rows_inside_their_organisation_add_no_certainty(
    drawn: tuple[LoggedBandit, Floats], estimator: Estimator
) -> None:
    log, policy = drawn
    twice = np.repeat(np.arange(len(log)), 2)
    one, two = estimate(log, policy, estimator), estimate(ordered(log, twice), policy[twice],
                                                          estimator)  # fmt: skip
    assert two.value == pytest.approx(one.value, abs=1e-9)
    assert two.error == pytest.approx(one.error, abs=1e-9)


@given(logs(), ESTIMATORS, st.floats(0.1, 50.0))
@settings(max_examples=40, deadline=None)
def test_values_scale_with_the_unit_of_the_reward(
    drawn: tuple[LoggedBandit, Floats], estimator: Estimator, scale: float
) -> None:
    log, policy = drawn
    assert log.predicted is not None
    one = estimate(log, policy, estimator)
    other = estimate(log.rewarded(log.reward * scale, log.predicted * scale), policy, estimator)
    assert other.value == pytest.approx(one.value * scale, rel=1e-9, abs=1e-9)
    assert other.error == pytest.approx(one.error * scale, rel=1e-9, abs=1e-9)


@given(logs(), ESTIMATORS)
@settings(max_examples=40, deadline=None)
def test_a_policy_never_differs_from_itself_and_a_difference_is_antisymmetric(
    drawn: tuple[LoggedBandit, Floats], estimator: Estimator
) -> None:
    log, policy = drawn
    chosen = ValueSettings(estimator=estimator, rule=OPEN)
    nothing = compare(log, policy, policy, chosen)
    assert nothing.same
    assert isinstance(nothing.difference, Estimate)
    assert nothing.difference.value == pytest.approx(0.0, abs=1e-12)
    there = compare(log, policy, log.offered, chosen).difference
    back = compare(log, log.offered, policy, chosen).difference
    assert isinstance(there, Estimate)
    assert isinstance(back, Estimate)
    assert there.value == pytest.approx(-back.value, abs=1e-9)
    assert there.error == pytest.approx(back.error, abs=1e-9)


@given(logs())
@settings(max_examples=60, deadline=None)
def test_self_normalised_values_stay_within_the_rewards(
    drawn: tuple[LoggedBandit, Floats],
) -> None:
    log, policy = drawn
    found = estimate(log, policy, Estimator.SNIPS)
    assert log.reward.min() - 1e-9 <= found.value <= log.reward.max() + 1e-9


@given(logs())
@settings(max_examples=60, deadline=None)
def test_effective_sizes_never_exceed_what_is_there(drawn: tuple[LoggedBandit, Floats]) -> None:
    log, policy = drawn
    found = overlap(log, policy)
    assert found.effective_rows <= len(log) + 1e-9
    assert found.effective_events <= int(log.events.sum()) + 1e-9
    assert found.effective_organisations <= found.organisations + 1e-9
    assert found.tail_events <= len(log) + 1e-9
    assert 0.0 <= found.largest_row <= found.largest_organisation + 1e-12


@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=50), st.floats(1e-3, 1e3))
@settings(max_examples=60, deadline=None)
def test_kish_ignores_the_scale_of_weights(weights: list[float], scale: float) -> None:
    weight = np.asarray(weights)
    assert kish(weight * scale) == pytest.approx(kish(weight), rel=1e-9)
    assert 1.0 - 1e-9 <= kish(weight) <= len(weights) + 1e-9


@given(logs())
@settings(max_examples=30, deadline=None)
def test_a_small_log_is_always_refused(drawn: tuple[LoggedBandit, Floats]) -> None:
    log, policy = drawn
    assert isinstance(policy_value(log, policy), Refused)
