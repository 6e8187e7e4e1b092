"""Who is in the canary: a stable share of organisations, growing without changing its members."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flyball.canary import MOST_SHARE, CanarySettings

NAMES = [f"org-{number}" for number in range(4_000)]
shares = st.floats(0.0, MOST_SHARE)


def members(share: float, salt: str = "canary") -> set[str]:
    settings = CanarySettings(share=share, salt=salt)
    return {name for name in NAMES if settings.holds(name)}


@given(shares, shares)
def test_a_larger_share_keeps_the_members_of_a_smaller_one(one: float, other: float) -> None:
    small, large = sorted((one, other))
    assert members(small) <= members(large)


def test_the_share_is_about_what_was_asked_for_and_0_is_nobody() -> None:
    assert members(0.0) == set()
    for share in (0.01, 0.1, 0.5):
        # Six standard deviations of a binomial.
        slack = 6 * (share * (1 - share) / len(NAMES)) ** 0.5
        assert abs(len(members(share)) / len(NAMES) - share) < slack


def test_another_salt_chooses_others() -> None:
    one, other = members(0.5), members(0.5, "again")
    assert 0.4 < len(one & other) / len(one) < 0.6
