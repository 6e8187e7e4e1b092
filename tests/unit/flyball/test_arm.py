"""Arms: exact limits, grids, and multipliers as people write them."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.arm import ArmGrid, effective_limit, nearest_towards_neutral, parse_arm
from flyball.errors import InvalidInput
from flyball.plan import MAX_LIMIT, Limit

bases = st.integers(1, MAX_LIMIT)


@given(bases, st.integers(1, 1000))
def test_the_effective_limit_is_exact_and_rounds_up(base: int, arm: int) -> None:
    assert effective_limit(base, arm) == math.ceil(Fraction(base * arm, 100)) >= 1


@given(bases)
def test_two_arms_that_round_alike_are_one_and_neutral_stays(base: int) -> None:
    grid = ArmGrid()
    found = grid.distinct(base)
    limits = [effective_limit(base, arm) for arm in found]
    assert len(set(limits)) == len(limits)
    assert 100 in found
    assert {effective_limit(base, arm) for arm in grid.arms} == set(limits)


@given(st.lists(st.tuples(bases, st.integers(1, 100)), max_size=4))
def test_allowed_arms_keep_every_contract(pairs: list[tuple[int, int]]) -> None:
    limits = [Limit(base=b, contract=max(1, b * share // 100)) for b, share in pairs]
    allowed = ArmGrid().allowed(limits)
    assert 100 in allowed
    for arm in allowed:
        assert all(effective_limit(lim.base, arm) >= lim.contract for lim in limits)


@pytest.mark.parametrize("arms", [(), (85, 115), (100, 85), (100, 100), (0, 100), (100, 1001)])
def test_a_grid_without_order_or_neutral_is_refused(arms: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInput):
        ArmGrid(arms)


@given(st.integers(1, 1000), st.sets(st.integers(1, 1000), max_size=6))
def test_the_nearest_arm_lies_between_the_wanted_one_and_neutral(
    wanted: int, others: set[int]
) -> None:
    arms = tuple(sorted(others | {100}))
    found = nearest_towards_neutral(wanted, arms)
    assert found in arms
    assert min(wanted, 100) <= found <= max(wanted, 100)
    if wanted in arms:
        assert found == wanted


@given(st.integers(1, 1000))
def test_a_multiplier_survives_being_written(arm: int) -> None:
    assert parse_arm(f"{arm / 100:.2f}") == arm
    assert parse_arm(arm / 100) == arm


@pytest.mark.parametrize("text", ["", "x", "0", "-1", "0.855", "11", "nan", "inf", True, None])
def test_other_multipliers_are_refused(text: object) -> None:
    with pytest.raises(InvalidInput, match="hundredths"):
        parse_arm(text)
