"""What a log must be before anything is estimated from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from flyball.errors import InvalidInput
from training.off_policy.logged import LoggedBandit, check_probabilities


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"reward": np.asarray([np.nan, 0, 0, 0, 0, 0])}, "not finite"),
        ({"reward": np.zeros(0)}, "no logged rows"),
        ({"arm": np.asarray([0, 1, 1, 1, 0, 2])}, "outside the offered"),
        ({"arm": np.asarray([0, 1])}, "one entry for each"),
        ({"offered": np.full((6, 2), 0.4)}, "sum to 1"),
        ({"offered": np.tile([1.5, -0.5], (6, 1))}, "sum to 1"),
        ({"offered": np.tile([0.0, 1.0], (6, 1))}, "probability 0"),
        ({"predicted": np.zeros((6, 3))}, "one column per arm"),
        ({"predicted": np.full((6, 2), np.inf)}, "not finite"),
        ({"bounds": (0.0, 2.0)}, "outside 0"),
        ({"cluster": np.zeros(5, dtype=np.int64)}, "one entry for each"),
    ],
)
def test_a_log_that_cannot_be_trusted_is_refused_by_name(
    tiny: LoggedBandit, changed: dict[str, object], said: str
) -> None:
    with pytest.raises(InvalidInput, match=said):
        replace(tiny, **changed)  # type: ignore[arg-type]


def test_a_policy_must_be_a_table_of_probabilities() -> None:
    with pytest.raises(InvalidInput, match="6 rows"):
        check_probabilities("policy", np.ones((5, 1)), 6)


def test_events_are_rewards_that_are_not_zero_unless_said(tiny: LoggedBandit) -> None:
    assert tiny.events.tolist() == [True, False, False, False, True, True]
    said = replace(tiny, event=np.zeros(6, dtype=bool))
    assert not said.events.any()
    # Another reward on the same rows keeps what was an event.
    assert tiny.rewarded(np.ones(6), None).events.tolist() == tiny.events.tolist()


def test_taking_rows_takes_every_column(random_log: Callable[..., LoggedBandit]) -> None:
    log = random_log(90)
    part = log.take(np.arange(90) < 30)
    assert len(part) == 30
    assert part.predicted is not None
    assert part.stratum is not None
    assert len(part.predicted) == len(part.stratum) == len(part.cluster) == 30
