"""Whatever was logged, effects are finite, bounded, and nothing for the neutral arm."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from training.contrast import contrasts, trials_of
from training.dataset import Dataset
from training.effects import ArmMeans
from training.export.effects import effects_graph

ARMS = (85, 100, 115)


@st.composite
def datasets(draw: st.DrawFn) -> Dataset:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows = draw(st.integers(0, 600))
    offered = rng.dirichlet(np.full(3, draw(st.sampled_from([0.05, 0.5, 5.0]))), rows)
    offered[rng.random(rows) < 0.2] = (0.0, 1.0, 0.0)
    # Not always drawn from what was logged: a wrong log must not break anything either.
    column = rng.integers(0, 3, rows)
    rate = draw(st.sampled_from([0.0, 0.1, 0.7]))
    table = pa.table(
        {
            "arm": np.asarray(ARMS)[column],
            **{f"offered_{arm}": offered[:, i] for i, arm in enumerate(ARMS)},
            **{f"dose_{arm}": rng.normal(0.0, 0.1, rows) for arm in ARMS},
            "assignment": ["drawn"] * rows,
            "organisation": [f"o{i % 50}" for i in range(rows)],
            "segment": [("", "smb")[i % 2] for i in range(rows)],
            "start_hour": rng.integers(0, 5, rows) * 168,
            "outcome": np.where(rng.random(rows) < rate, rng.integers(1, 4, rows), 0),
        }
    )
    return Dataset(rows=table, features=(), arms=ARMS, period_days=7, as_of_us=0, kind="decisions")


@settings(max_examples=60, deadline=None)
@given(datasets())
def test_effects_can_always_be_exported(dataset: Dataset) -> None:
    effects = ArmMeans(redraws=9).fit(dataset, ("", "smb"))
    assert effects.mean.shape == effects.sd.shape == (3, 3, 3)
    assert np.isfinite(effects.mean).all()
    assert np.isfinite(effects.sd).all()
    assert (np.abs(effects.mean) <= 1.0).all()
    assert (effects.sd >= 0.0).all()
    assert not effects.mean[:, 1].any()
    assert not effects.mean[effects.trust == 0].any()
    effects_graph(effects.mean, effects.sd, effects.trust, 1)


@settings(max_examples=60, deadline=None)
@given(datasets())
def test_contrasts_are_differences_of_probabilities(dataset: Dataset) -> None:
    trials = trials_of(dataset)
    for each in contrasts(trials, 0, np.ones(len(trials), dtype=bool)):
        assert -1.0 <= each.difference <= 1.0
        assert each.error > 0.0
        assert 0.0 <= each.rows <= len(trials)
