"""Draws: propensities that add up, arms that follow them, a holdout that sticks."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.errors import InvalidInput
from flyball.experiment import (
    Experiment,
    draw,
    in_holdout,
    marginal_propensity,
    propensities_of,
)

SECRET = bytes(range(32))
arms = st.sets(st.integers(1, 300), min_size=1, max_size=12).map(lambda found: found | {100})


@settings(deadline=None)
@given(arms, st.data())
def test_propensities_sum_to_one_and_ascend_in_any_order_of_arms(
    offered: set[int], data: st.DataObject
) -> None:
    epsilon = data.draw(st.floats(0, 1 / len(offered)))
    choice = data.draw(st.sampled_from(sorted(offered)))
    shuffled = data.draw(st.permutations(sorted(offered)))
    found = propensities_of(shuffled, choice, epsilon)
    assert list(found) == sorted(offered)
    assert abs(sum(found.values()) - 1.0) <= 1e-12
    assert all(p >= 0.0 for p in found.values())
    assert found == propensities_of(sorted(offered), choice, epsilon)
    for arm, propensity in found.items():
        expected = epsilon + (1 - epsilon * len(offered)) * (arm == choice)
        assert propensity == pytest.approx(expected, abs=1e-12)


@settings(deadline=None)
@given(arms, st.data(), st.text(max_size=20), st.integers(0, 2**60))
def test_a_draw_repeats_and_gives_an_offered_arm(
    offered: set[int], data: st.DataObject, organisation: str, period: int
) -> None:
    epsilon = data.draw(st.floats(0, 1 / len(offered)))
    choice = data.draw(st.sampled_from(sorted(offered)))
    first = draw(organisation, period, "e", SECRET, offered=offered, choice=choice, epsilon=epsilon)
    again = draw(
        organisation, period, "e", SECRET, offered=sorted(offered), choice=choice, epsilon=epsilon
    )
    assert first == again
    assert first.propensities[first.arm] > 0.0
    if epsilon == 0.0:
        assert first.arm == choice


def test_arms_are_drawn_as_often_as_their_propensities_say() -> None:
    count = 20_000
    drawn = Counter(
        draw(f"org-{i}", 7, "e", SECRET, offered=(85, 100, 115), choice=100, epsilon=0.05).arm
        for i in range(count)
    )
    # Four standard deviations of a binomial share.
    assert drawn[85] / count == pytest.approx(0.05, abs=0.0062)
    assert drawn[115] / count == pytest.approx(0.05, abs=0.0062)


def test_another_period_experiment_or_secret_draws_anew() -> None:
    def arms_of(period: int, name: str, secret: bytes) -> list[int]:
        return [
            draw(f"o{i}", period, name, secret, offered=(85, 100), choice=100, epsilon=0.5).arm
            for i in range(64)
        ]

    base = arms_of(1, "e", SECRET)
    others = (arms_of(2, "e", SECRET), arms_of(1, "f", SECRET), arms_of(1, "e", SECRET[::-1]))
    for other in others:
        assert 10 < sum(a != b for a, b in zip(base, other, strict=True)) < 54


def test_too_large_an_epsilon_and_a_choice_that_is_not_offered_are_refused() -> None:
    with pytest.raises(InvalidInput, match="epsilon"):
        propensities_of((85, 100, 115), 100, 0.34)
    with pytest.raises(InvalidInput, match="not offered"):
        propensities_of((85, 100), 115, 0.05)
    experiment = Experiment(name="e", secret=SECRET, epsilon=0.25)
    experiment.check_arms(4)
    with pytest.raises(InvalidInput, match="more than 1"):
        experiment.check_arms(5)


@settings(deadline=None)
@given(st.text(max_size=20), st.floats(0, 0.9), st.floats(0, 0.9))
def test_a_larger_holdout_keeps_every_member(organisation: str, a: float, b: float) -> None:
    small, large = sorted((a, b))
    if in_holdout(organisation, small, SECRET):
        assert in_holdout(organisation, large, SECRET)


def test_the_holdout_has_the_size_asked_for() -> None:
    members = sum(in_holdout(f"org-{i}", 0.1, SECRET) for i in range(20_000))
    assert members / 20_000 == pytest.approx(0.1, abs=0.0085)
    assert not any(in_holdout(f"org-{i}", 0.0, SECRET) for i in range(100))


@settings(deadline=None)
@given(arms, st.data(), st.floats(0, 0.9))
def test_marginal_propensities_sum_to_one(
    offered: set[int], data: st.DataObject, share: float
) -> None:
    epsilon = data.draw(st.floats(0, 1 / len(offered)))
    choice = data.draw(st.sampled_from(sorted(offered)))
    found = propensities_of(offered, choice, epsilon)
    total = sum(marginal_propensity(arm, p, share) for arm, p in found.items())
    assert total == pytest.approx(1.0, abs=1e-12)


def test_a_secret_is_never_shown_and_a_short_one_refused() -> None:
    assert str(SECRET) not in repr(Experiment(name="e", secret=SECRET))
    with pytest.raises(InvalidInput, match="16 bytes"):
        Experiment(name="e", secret=b"short")
