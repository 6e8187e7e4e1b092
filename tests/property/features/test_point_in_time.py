"""What every feature promises about time and order, over every relation."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from features import checks
from features.histories import random_history

_SEEDS = st.integers(0, 10_000)
_FEW = settings(max_examples=6, deadline=None, derandomize=True)


def _hours(history_days: int = 40) -> st.SearchStrategy[int]:
    first = 19_000 * 24
    return st.one_of(
        st.integers(first + 24, first + history_days * 24),
        # Midnights take the path of training.
        st.integers(2, history_days).map(lambda day: first + day * 24),
    )


@_FEW
@given(seed=_SEEDS, hour=_hours())
def test_deleting_everything_after_the_as_of_hour_changes_nothing(seed: int, hour: int) -> None:
    checks.check_truncation(random_history(seed), hour)


@_FEW
@given(seed=_SEEDS, hour=_hours())
def test_absurd_future_rows_change_nothing(seed: int, hour: int) -> None:
    checks.check_poison(random_history(seed), hour)


@_FEW
@given(seed=_SEEDS, hour=_hours(), order=st.integers(0, 100))
def test_the_order_of_rows_changes_nothing(seed: int, hour: int, order: int) -> None:
    checks.check_order(random_history(seed), hour, order)


@settings(max_examples=3, deadline=None, derandomize=True)
@given(seed=_SEEDS, hours=st.lists(_hours(), min_size=2, max_size=5, unique=True))
def test_live_refresh_gives_what_the_training_batch_gives(seed: int, hours: list[int]) -> None:
    checks.check_live_equals_offline(random_history(seed), hours)
