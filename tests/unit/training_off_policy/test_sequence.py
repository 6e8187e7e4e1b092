"""Confidence sequences keep their level however often one looks, and find harm in the end."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from flyball.errors import InvalidInput
from training.dataset import Floats
from training.off_policy.betting import betting_floor, log_wealth, log_wealth_above
from training.off_policy.harm_watch import HarmWatch, Increments, organisation_increments
from training.off_policy.logged import LoggedBandit
from training.off_policy.sequence import asymptotic_sequence, bounded_sequence, mixture_radius

PATHS, LONG = 1000, 2000


@pytest.fixture(scope="module")
def null_paths() -> Floats:
    """Weighted differences ``[PATHS, LONG]`` of two equal arms: ±2 on a tenth of units, mean 0."""
    generator = np.random.default_rng(4)
    happened = generator.random((PATHS, LONG)) < 0.1
    side = np.where(generator.random((PATHS, LONG)) < 0.5, 2.0, -2.0)
    return np.asarray(happened * side, dtype=np.float64)


def test_the_asymptotic_sequence_rarely_ever_errs_under_the_null(null_paths: Floats) -> None:
    found = asymptotic_sequence(null_paths)
    ever = ((found.low > 0.0) | (found.high < 0.0)).any(axis=1).mean()
    one_sided = (asymptotic_sequence(null_paths, sides=1).low > 0.0).any(axis=1).mean()
    assert ever <= 0.065
    assert 0.005 < one_sided <= 0.065


def test_looking_every_time_with_a_plain_interval_would_err_often(null_paths: Floats) -> None:
    count = np.arange(1.0, LONG + 1.0)
    mean = np.cumsum(null_paths, axis=1) / count
    half = 1.96 * null_paths.std() / np.sqrt(count)
    assert (np.abs(mean) > half)[:, 100:].any(axis=1).mean() > 0.2


def test_the_exact_sequences_never_exceed_their_level(null_paths: Floats) -> None:
    exact = bounded_sequence(null_paths, lowest=-2.0, highest=2.0)
    assert ((exact.low > 0.0) | (exact.high < 0.0)).any(axis=1).mean() <= 0.05
    wealth = log_wealth(null_paths, 0.0, lowest=-2.0, highest=2.0)
    assert (wealth.max(axis=1) >= math.log(20.0)).mean() <= 0.05


def test_all_of_them_find_an_effect_that_is_there(null_paths: Floats) -> None:
    generator = np.random.default_rng(6)
    harmed = null_paths + np.where(generator.random(null_paths.shape) < 0.1, 1.0, 0.0)
    harmed = np.clip(harmed[:300], -2.0, 2.0)
    assert (asymptotic_sequence(harmed, sides=1).low > 0.0).any(axis=1).mean() > 0.9
    wealth = log_wealth(harmed, 0.0, lowest=-2.0, highest=2.0)
    assert (wealth.max(axis=1) >= math.log(20.0)).mean() > 0.8
    exact = bounded_sequence(harmed, lowest=-2.0, highest=2.0, sides=1)
    assert (exact.low > 0.0).any(axis=1).mean() > 0.5


def test_bounds_cover_the_mean_and_shrink(null_paths: Floats) -> None:
    for found in (
        asymptotic_sequence(null_paths[0]),
        bounded_sequence(null_paths[0], lowest=-2.0, highest=2.0),
    ):
        width = found.high - found.low
        assert width[-1] < 0.5 * width[150]
        assert found.low[-1] < found.mean[-1] < found.high[-1]


def test_nothing_is_said_before_the_start_nor_of_values_without_spread() -> None:
    early = asymptotic_sequence(np.ones(300))
    assert np.isinf(early.low).all()
    values = np.asarray([0.0, 1.0] * 100)
    found = asymptotic_sequence(values, start=150)
    assert np.isinf(found.high[:149]).all()
    assert np.isfinite(found.high[149:]).all()


def test_the_mixture_is_tightest_near_what_it_is_tuned_for() -> None:
    ratio = {
        tuned: float(mixture_radius(np.asarray([1000.0]), 0.05, tuned_for=tuned)[0])
        for tuned in (10.0, 1000.0, 100000.0)
    }
    assert min(ratio, key=ratio.__getitem__) == 1000.0
    # The price of any number of looks: not much more than one and a half times 1.96 / √n.
    assert ratio[1000.0] / (1.96 / math.sqrt(1000.0)) < 1.6
    with pytest.raises(InvalidInput, match="alpha"):
        mixture_radius(np.ones(1), 1.0, tuned_for=10.0)


def test_values_outside_their_range_void_the_exact_guarantee() -> None:
    with pytest.raises(InvalidInput, match="asymptotic"):
        bounded_sequence(np.asarray([0.0, 3.0]), lowest=0.0, highest=1.0)


def test_the_betting_floor_is_below_the_mean_and_rises_with_data() -> None:
    values = (np.random.default_rng(3).random(4000) < 0.4).astype(np.float64)
    few = betting_floor(values[:200], lowest=0.0, highest=1.0)
    many = betting_floor(values, lowest=0.0, highest=1.0)
    assert few < many < values.mean()
    assert values.mean() - many < 0.05


def test_wealth_needs_no_highest_value(null_paths: Floats) -> None:
    # Rarely far below 0, often a little above: what is not seen yet must not look impossible.
    generator = np.random.default_rng(8)
    fell = generator.random((300, 3000)) < 0.001
    values = np.where(fell, -9.0, np.where(generator.random((300, 3000)) < 0.009, 1.0, 0.0))
    assert values.mean() == pytest.approx(0.0, abs=5e-4)
    limit = math.log(20.0)
    assert (log_wealth_above(values, np.full(3000, 9.0)) >= limit).any(axis=1).mean() <= 0.05
    assert (log_wealth_above(null_paths, np.full(null_paths.shape[-1], 2.0)) >= limit).any(
        axis=1
    ).mean() <= 0.05
    harmed = values + 0.05
    assert (log_wealth_above(harmed, np.full(3000, 9.0)) >= limit).any(axis=1).mean() > 0.9


def test_the_watch_says_the_same_whatever_the_batches() -> None:
    harm = np.random.default_rng(1).normal(0.3, 0.5, size=400).clip(-1.0, 1.0)
    whole = HarmWatch().seen(Increments(harm, np.full(400, 2.0)))
    watch = HarmWatch()
    for batch in np.array_split(harm, [3, 50, 51, 200]):
        watch = watch.seen(Increments(batch, np.full(len(batch), 2.0)))
    assert watch.floor() == whole.floor()
    assert watch.harmful
    assert 0.0 < watch.floor() < watch.mean


def test_a_floor_below_zero_is_no_alarm_and_rises_with_what_is_seen() -> None:
    harm = np.random.default_rng(2).choice([-1.0, 1.0], size=2000)
    few = HarmWatch().seen(Increments(harm[:100], np.ones(100)))
    many = few.seen(Increments(harm[100:], np.ones(1900)))
    assert not many.harmful
    assert -1.0 < few.floor() < many.floor() < 0.0


def test_the_watch_is_silent_early_and_refuses_what_cannot_be() -> None:
    assert not HarmWatch().harmful
    assert HarmWatch().mean == 0.0
    assert HarmWatch().floor() == -math.inf
    nothing_to_compare = Increments(np.full(500, 5.0), np.full(500, np.inf))
    assert HarmWatch().seen(nothing_to_compare).floor() == -math.inf
    with pytest.raises(InvalidInput, match="finite"):
        HarmWatch().seen(Increments(np.asarray([np.nan]), np.ones(1)))
    with pytest.raises(InvalidInput, match="further below 0"):
        HarmWatch().seen(Increments(np.asarray([-2.0]), np.ones(1)))


def test_increments_sum_what_a_policy_adds_per_organisation(tiny: LoggedBandit) -> None:
    bounded = replace(tiny, bounds=(0.0, 9.0))
    apart = organisation_increments(bounded, tiny.constant(0), tiny.constant(1))
    # 8 / 0.25 for the first row; 1 / 0.5 and -3 / 0.5 for the last two.
    assert apart.harm.tolist() == pytest.approx([32.0, 0.0, 0.0, 0.0, 2.0, -6.0])
    # The most that the other arm could have paid, by its probability.
    assert apart.reach.tolist() == pytest.approx([12.0] * 4 + [18.0] * 2)
    allowed = organisation_increments(bounded, tiny.constant(0), tiny.constant(1), allowed=1.0)
    assert allowed.harm.tolist() == pytest.approx([31.0, -1.0, -1.0, -1.0, 1.0, -7.0])
    assert allowed.reach.tolist() == pytest.approx([13.0] * 4 + [19.0] * 2)
    same = organisation_increments(bounded, tiny.constant(0), tiny.constant(0))
    assert np.isinf(same.reach).all()
    with pytest.raises(InvalidInput, match="bounds"):
        organisation_increments(tiny, tiny.constant(0), tiny.constant(1))


def test_a_harmful_arm_is_found_within_weeks(random_log: Callable[..., LoggedBandit]) -> None:
    generator = np.random.default_rng(12)
    watch, weeks = HarmWatch(), 0
    while not watch.harmful and weeks < 40:
        log = random_log(900, seed=weeks)
        churned = generator.random(900) < np.where(log.arm == 0, 0.10, 0.05)
        week = replace(log.rewarded(churned.astype(np.float64), None), bounds=(0.0, 1.0))
        watch = watch.seen(organisation_increments(week, log.constant(0), log.constant(1)))
        weeks += 1
    assert 1 < weeks < 20
