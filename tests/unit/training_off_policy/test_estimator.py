"""Estimators against values worked out by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from flyball.errors import InvalidInput
from training.off_policy.estimator import Estimator, switched_share
from training.off_policy.logged import LoggedBandit
from training.off_policy.switch import switch_threshold
from training.off_policy.value import Estimate

Valued = Callable[..., Estimate]
WEIGHTED = (Estimator.IPS, Estimator.SNIPS, Estimator.DR, Estimator.SNDR)
MIXED = np.asarray([[0.6, 0.4]] * 4 + [[0.1, 0.9]] * 2)
#: Context 0: 0.6 · 8; context 1: 0.1 · 1 + 0.9 · 3; four rows to two.
MIXED_VALUE = (4 * 4.8 + 2 * 2.8) / 6


@pytest.mark.parametrize("estimator", WEIGHTED)
def test_in_an_enumerated_world_every_estimator_is_exact(
    tiny: LoggedBandit, valued: Valued, estimator: Estimator
) -> None:
    assert valued(tiny, MIXED, estimator).value == pytest.approx(MIXED_VALUE)
    assert valued(tiny, tiny.constant(0), estimator).value == pytest.approx(34 / 6)
    assert valued(tiny, tiny.constant(1), estimator).value == pytest.approx(1.0)


def test_the_logged_policy_itself_is_worth_the_mean_reward(
    tiny: LoggedBandit, valued: Valued
) -> None:
    for estimator in (Estimator.IPS, Estimator.SNIPS):
        found = valued(tiny, tiny.offered, estimator)
        assert found.value == pytest.approx(float(tiny.reward.mean()))
        # Weights of one: the error is that of a plain mean.
        assert found.error == pytest.approx(float(tiny.reward.std(ddof=1)) / np.sqrt(6))


def test_doubly_robust_with_a_perfect_model_varies_only_with_context(
    tiny: LoggedBandit, valued: Valued
) -> None:
    model = (MIXED * tiny.predicted).sum(axis=1)
    for estimator in (Estimator.DR, Estimator.SNDR):
        found = valued(tiny, MIXED, estimator)
        assert found.error == pytest.approx(float(model.std(ddof=1)) / np.sqrt(6))
    direct = valued(tiny, MIXED, Estimator.DIRECT)
    assert found.value == pytest.approx(direct.value)
    assert direct.model_share == 1.0


def test_doubly_robust_without_a_model_is_ips(
    random_log: Callable[..., LoggedBandit], valued: Valued
) -> None:
    log = random_log()
    blank = log.rewarded(log.reward, np.zeros(log.offered.shape))
    target = log.constant(1)
    pairs = ((Estimator.DR, Estimator.IPS), (Estimator.SNDR, Estimator.SNIPS))
    for robust, plain in pairs:
        assert valued(blank, target, robust).value == valued(blank, target, plain).value
        assert valued(blank, target, robust).error == valued(blank, target, plain).error


def test_doubly_robust_corrects_a_wrong_model_exactly_in_the_enumerated_world(
    tiny: LoggedBandit, valued: Valued
) -> None:
    wrong = tiny.rewarded(tiny.reward, np.asarray([[2.0, 5.0]] * 4 + [[-1.0, 0.0]] * 2))
    assert valued(wrong, MIXED, Estimator.DR).value == pytest.approx(MIXED_VALUE)
    assert valued(wrong, MIXED, Estimator.DIRECT).value != pytest.approx(MIXED_VALUE)


def test_self_normalised_estimates_move_with_a_shift_of_rewards(
    random_log: Callable[..., LoggedBandit], valued: Valued
) -> None:
    log = random_log(301)
    assert log.predicted is not None
    shifted = log.rewarded(log.reward + 7.0, log.predicted + 7.0)
    target = np.tile([0.5, 0.3, 0.2], (301, 1))
    for estimator in (Estimator.SNIPS, Estimator.SNDR, Estimator.DR):
        before, after = valued(log, target, estimator), valued(shifted, target, estimator)
        assert after.value == pytest.approx(before.value + 7.0)
        assert after.error == pytest.approx(before.error)
    ips = [valued(each, target, Estimator.IPS).value for each in (log, shifted)]
    assert ips[1] != pytest.approx(ips[0] + 7.0)


def test_switch_dr_is_dr_when_nothing_is_switched_and_direct_when_all_is(
    tiny: LoggedBandit, valued: Valued
) -> None:
    wrong = tiny.rewarded(tiny.reward, np.asarray([[2.0, 5.0]] * 4 + [[-1.0, 0.0]] * 2))
    whole = valued(wrong, MIXED, Estimator.SWITCH_DR, threshold=np.inf)
    dr, direct = valued(wrong, MIXED, Estimator.DR), valued(wrong, MIXED, Estimator.DIRECT)
    assert (whole.value, whole.error, whole.model_share) == (dr.value, dr.error, 0.0)
    none = valued(wrong, MIXED, Estimator.SWITCH_DR, threshold=0.0)
    assert (none.value, none.error, none.model_share) == (direct.value, direct.error, 1.0)


def test_switch_dr_says_how_much_of_the_policy_rests_on_the_model(tiny: LoggedBandit) -> None:
    # Weights: 2.4 and 0.53 in context 0, 0.2 and 1.8 in context 1.
    assert switched_share(tiny, MIXED, 2.0) == pytest.approx(0.6 * 4 / 6)
    assert switched_share(tiny, MIXED, 1.0) == pytest.approx((0.6 * 4 + 0.9 * 2) / 6)


def test_the_switch_threshold_leaves_moderate_weights_alone_and_cuts_hopeless_ones() -> None:
    rows = 2000
    offered = np.tile([0.499, 0.499, 0.002], (rows, 1))
    offered[:1000] = [1 / 3, 1 / 3, 1 / 3]
    log = LoggedBandit(
        reward=np.zeros(rows), arm=np.zeros(rows, dtype=np.int64), offered=offered,
        cluster=np.arange(rows), predicted=np.zeros((rows, 3)),
    )  # fmt: skip
    assert switch_threshold(log, log.constant(0)) == np.inf
    rarely = np.tile([0.99, 0.0, 0.01], (rows, 1))
    rarely[:1000] = [0.0, 0.0, 1.0]
    assert switch_threshold(log, rarely) == np.inf
    # Worth it only where the variance saved exceeds the worst bias.
    few = np.tile([1.0, 0.0, 0.0], (rows, 1))
    few[-20:] = [0.0, 0.0, 1.0]
    threshold = switch_threshold(log, few)
    assert 2.0 < threshold < 500.0
    assert switched_share(log, few, threshold) == pytest.approx(0.01)


def test_an_arm_that_was_never_possible_is_left_to_the_model_and_counted() -> None:
    log = LoggedBandit(
        reward=np.ones(4), arm=np.zeros(4, dtype=np.int64), cluster=np.arange(4),
        offered=np.tile([1.0, 0.0], (4, 1)), predicted=np.zeros((4, 2)),
    )  # fmt: skip
    assert switched_share(log, np.tile([0.75, 0.25], (4, 1)), np.inf) == 0.25


def test_an_estimator_without_its_model_says_which_one_needs_none(
    tiny: LoggedBandit, valued: Valued
) -> None:
    bare = tiny.rewarded(tiny.reward, None)
    with pytest.raises(InvalidInput, match="use snips"):
        valued(bare, MIXED, Estimator.DR)
