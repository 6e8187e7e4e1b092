from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from simulation.exploration import ARMS, draw, offered_arms

arms = st.sampled_from(ARMS)


def _offered(
    contract: int, previous: int, *, gentle: bool = False, settled: bool = False
) -> set[int]:
    allowed = offered_arms(
        np.array([contract]), np.array([previous]), np.array([gentle]), np.array([settled])
    )
    return {arm for arm, yes in zip(ARMS, allowed[0], strict=True) if yes}


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([70, 85, 100]), arms, st.booleans(), st.booleans())
def test_offered_arms_keep_contract_steps_and_rules(
    contract: int, previous: int, gentle: bool, settled: bool
) -> None:
    offered = _offered(contract, previous, gentle=gentle, settled=settled)
    assert 100 in offered
    assert all(arm >= contract for arm in offered)
    for arm in offered:
        on_side = (arm < 100) == (previous < 100) and (arm > 100) == (previous > 100)
        assert abs(arm - 100) <= (abs(previous - 100) if on_side else 0) + 15
    if gentle:
        assert min(offered) == 100
    if settled:
        assert offered == {100}


def test_from_one_only_the_next_arms_are_offered() -> None:
    assert _offered(70, 100) == {85, 100, 115}
    assert _offered(70, 85) == {70, 85, 100, 115}
    assert _offered(85, 85) == {85, 100, 115}


@settings(max_examples=40, deadline=None)
@given(st.lists(st.booleans(), min_size=4, max_size=4), st.floats(0, 1, exclude_max=True))
def test_the_drawn_arm_is_offered_and_its_propensity_is_logged(
    others: list[bool], uniform: float
) -> None:
    allowed = np.array([[others[0], others[1], True, others[2], others[3]]])
    drawn = draw(allowed, np.array([uniform]))
    place = ARMS.index(int(drawn.arm[0]))
    assert allowed[0, place]
    assert drawn.propensity[0] == drawn.offered[0, place] > 0
    assert abs(drawn.offered.sum() - 1.0) < 1e-9


def test_arms_are_drawn_as_often_as_their_propensity_says() -> None:
    allowed = np.ones((40_000, 5), dtype=bool)
    drawn = draw(allowed, np.random.default_rng(3).random(40_000))
    for place, arm in enumerate(ARMS):
        assert abs((drawn.arm == arm).mean() - drawn.offered[0, place]) < 0.01
