"""Small experiments whose truth is known."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from benchmarks.small_experiment import experiment, flat
from training.dataset import Floats
from training.estimators.table import EffectTable

Make = Callable[..., EffectTable]


@pytest.fixture(scope="session")
def make() -> Make:
    return experiment


@pytest.fixture(scope="session")
def expectation() -> Callable[[EffectTable], Floats]:
    return flat
