"""Small worlds whose answers are known by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from training.dataset import Floats
from training.off_policy.estimator import Estimator
from training.off_policy.logged import LoggedBandit
from training.off_policy.overlap import OverlapRule
from training.off_policy.value import Estimate, ValueSettings, policy_value

#: A rule that lets everything through, for tests of the arithmetic alone.
OPEN = OverlapRule(
    min_effective_rows=0.0,
    min_effective_events=0.0,
    min_tail_events=0.0,
    min_effective_organisations=0.0,
    max_row_share=1.0,
    max_organisation_share=1.0,
    max_unsupported=1.0,
)

Valued = Callable[..., Estimate]


@pytest.fixture
def tiny() -> LoggedBandit:
    """Two contexts, two arms; every arm appears exactly as often as its probability says.

    Context 0 (4 rows): arm 0 pays 8, arm 1 pays 0, logged (1/4, 3/4).
    Context 1 (2 rows): arm 0 pays 1, arm 1 pays 3, logged (1/2, 1/2).
    """
    offered = np.asarray([[0.25, 0.75]] * 4 + [[0.5, 0.5]] * 2)
    return LoggedBandit(
        reward=np.asarray([8.0, 0.0, 0.0, 0.0, 1.0, 3.0]),
        arm=np.asarray([0, 1, 1, 1, 0, 1]),
        offered=offered,
        cluster=np.arange(6),
        predicted=np.asarray([[8.0, 0.0]] * 4 + [[1.0, 3.0]] * 2),
    )


@pytest.fixture
def valued() -> Valued:
    """Estimate a policy without any refusal."""

    def estimate(
        logged: LoggedBandit, policy: Floats, estimator: Estimator, **settings: object
    ) -> Estimate:
        chosen = ValueSettings(estimator=estimator, rule=OPEN, **settings)  # type: ignore[arg-type]
        found = policy_value(logged, policy, chosen)
        assert isinstance(found, Estimate)
        return found

    return estimate


@pytest.fixture
def random_log() -> Callable[..., LoggedBandit]:
    """A random log with good overlap: three arms, organisations of three rows."""

    def make(rows: int = 3000, *, seed: int = 1, rate: float = 0.3) -> LoggedBandit:
        generator = np.random.default_rng(seed)
        offered = np.full((rows, 3), 1.0 / 3.0)
        return LoggedBandit(
            reward=(generator.random(rows) < rate).astype(np.float64),
            arm=generator.integers(0, 3, rows),
            offered=offered,
            cluster=np.arange(rows) // 3,
            predicted=np.full((rows, 3), rate) + 0.1 * generator.normal(size=(rows, 3)),
            stratum=np.arange(rows) % 2,
            bounds=(0.0, 1.0),
        )

    return make
