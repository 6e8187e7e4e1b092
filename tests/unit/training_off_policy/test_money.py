"""Money is reported as it is and winsorised."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from flyball.errors import InvalidInput
from training.off_policy.logged import LoggedBandit
from training.off_policy.money import compare_money, winsor_cap, winsorised
from training.off_policy.value import Estimate

Log = Callable[..., LoggedBandit]


def test_the_cap_is_taken_over_payments_not_over_zeros() -> None:
    reward = np.concatenate([np.zeros(900), np.arange(1.0, 101.0)])
    assert winsor_cap(reward, 0.99) == pytest.approx(99.01)
    assert winsor_cap(np.zeros(5), 0.99) == np.inf
    with pytest.raises(InvalidInput, match="winsor quantile"):
        winsor_cap(reward, 0.2)


def test_losses_and_predictions_are_capped_alike(tiny: LoggedBandit) -> None:
    both = tiny.rewarded(np.asarray([8.0, -9.0, 0.0, 0.0, 1.0, 3.0]), tiny.predicted)
    capped = winsorised(both, 2.0)
    assert capped.reward.tolist() == [2.0, -2.0, 0.0, 0.0, 1.0, 2.0]
    assert capped.predicted is not None
    assert float(capped.predicted.max()) == 2.0
    assert capped.events.tolist() == both.events.tolist()


def test_one_huge_account_shows_in_the_raw_figure_only(random_log: Log) -> None:
    log = random_log()
    money = log.reward * 100.0
    huge = int(np.flatnonzero((log.reward > 0) & (log.arm == 1))[0])
    money[huge] = 1e6
    found = compare_money(log.rewarded(money, None), log.constant(1), log.constant(0))
    raw, capped = found.raw.difference, found.winsorised.difference
    assert isinstance(raw, Estimate)
    assert isinstance(capped, Estimate)
    assert raw.error > 50.0 * capped.error
    assert found.cap == 100.0
    assert found.touched == pytest.approx(1 / 3000)
