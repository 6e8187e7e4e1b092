"""The spike rule."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.spike import SpikeSettings, is_spike, spike_ratio, typical_level

NAN = math.nan


@pytest.mark.parametrize(
    ("hour", "usual_hour", "day", "usual_day", "spike"),
    [
        (300.0, 100.0, 0.0, 1_000.0, True),
        (299.0, 100.0, 1_999.0, 1_000.0, False),
        (0.0, 100.0, 2_000.0, 1_000.0, True),
        (19.0, 1.0, 19.0, 1.0, False),
        (50.0, 0.0, 0.0, 0.0, True),
        (None, None, None, None, False),
        (500.0, None, 2_000.0, None, False),
        (NAN, 100.0, 100.0, NAN, False),
        (500.0, None, 2_000.0, 1_000.0, True),
    ],
)
def test_a_spike_is_a_multiple_of_what_is_usual(
    hour: float | None, usual_hour: float | None, day: float | None, usual_day: float | None,
    spike: bool,
) -> None:  # fmt: skip
    assert is_spike(hour, usual_hour, day, usual_day) is spike


def test_the_thresholds_are_settings() -> None:
    strict = SpikeSettings(hour_ratio=1.5, day_ratio=1.2, minimum=0.0)
    assert is_spike(2.0, 1.0, None, None, strict)
    assert not is_spike(2.0, 1.0, None, None)


def test_the_typical_level_is_the_median_plus_its_usual_spread() -> None:
    assert typical_level([]) is None
    assert typical_level([NAN, math.inf]) is None
    assert typical_level([10.0, 12.0, 14.0], mad_factor=3.0) == 18.0
    # One earlier burst does not make the next one usual.
    assert typical_level([10.0, 10.0, 10.0, 10.0, 1_000.0]) == 10.0


@given(st.floats(0, 1e12), st.floats(1e-3, 1e12), st.floats(1, 100))
def test_the_ratio_grows_with_demand(recent: float, typical: float, factor: float) -> None:
    assert spike_ratio(recent * factor, typical, 0.0) >= spike_ratio(recent, typical, 0.0)
