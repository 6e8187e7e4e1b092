"""Laws of effect learning that hold for any experiment."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from training.dataset import Floats
from training.estimators.carry import HALF_LIVES, Past
from training.estimators.redraw import redrawn_arms
from training.estimators.search import adjusted
from training.estimators.shrinkage import Block
from training.estimators.table import EffectTable, Subjects

SEEDS = st.integers(0, 2**32 - 1)


def _table(seed: int, rows: int, arms: int) -> EffectTable:
    """Random offered sets, propensities, doses and draws."""
    rng = np.random.Generator(np.random.Philox(seed))
    draw = rng.integers(0, max(1, rows // 2), rows)
    chance = rng.random((rows // 2 + 1, arms)) * (rng.random((rows // 2 + 1, arms)) < 0.6)
    chance[:, 0] += 0.1
    offered = (chance / chance.sum(axis=1, keepdims=True))[draw]
    arm = (rng.random(rows)[:, None] >= np.cumsum(offered, axis=1)).sum(axis=1)
    last = arms - 1 - np.argmax(offered[:, ::-1] > 0.0, axis=1)
    nothing = np.full(rows, -1, dtype=np.int64)
    return EffectTable(
        subjects=Subjects(
            x=rng.normal(size=(rows, 2)).astype(np.float32),
            segment=nothing,
            plan=nothing,
            dose=rng.normal(size=(rows, arms)),
        ),
        features=("a", "b"),
        arms=tuple(map(str, range(arms))),
        neutral=0,
        arm=np.minimum(arm, last).astype(np.int64),
        offered=offered,
        outcomes=rng.integers(0, 2, (rows, 1)).astype(np.float64),
        names=("happened",),
        cluster=draw.astype(np.int64),
        draw=draw.astype(np.int64),
        tenant=rng.integers(0, 4, rows),
        period=rng.integers(0, 30, rows).astype(np.float64),
    )


@given(seed=SEEDS, rows=st.integers(2, 40), arms=st.integers(2, 6))
@settings(max_examples=60, deadline=None)
def test_redraws_only_give_offered_arms_and_share_a_draw(seed: int, rows: int, arms: int) -> None:
    table = _table(seed, rows, arms)
    drawn = redrawn_arms(table, np.random.Generator(np.random.Philox(seed)), 8)
    assert (np.take_along_axis(table.offered, drawn, axis=1) > 0.0).all()
    for code in np.unique(table.draw):
        members = drawn[table.draw == code]
        assert (members == members[0]).all()


@given(seed=SEEDS, rows=st.integers(2, 40), arms=st.integers(2, 6))
@settings(max_examples=60, deadline=None)
def test_residuals_are_zero_on_average_under_the_logged_draw(
    seed: int, rows: int, arms: int
) -> None:
    table = _table(seed, rows, arms)
    assert np.abs((table.offered * table.centred).sum(axis=1)).max() < 1e-9
    assert (table.variance >= 0.0).all()


@given(seed=SEEDS, rows=st.integers(1, 40), half_life=st.sampled_from(HALF_LIVES))
@settings(max_examples=60, deadline=None)
def test_summing_the_past_and_the_future_are_transposes(
    seed: int, rows: int, half_life: float
) -> None:
    table = _table(seed, rows, 3)
    past = Past(table)
    rng = np.random.Generator(np.random.Philox(seed + 1))
    a, b = rng.normal(size=rows), rng.normal(size=rows)
    assert np.isclose(past.earlier(a, half_life) @ b, a @ past.later(b, half_life))


@given(seed=SEEDS, width=st.integers(1, 6), noise=st.floats(0.01, 10.0))
@settings(max_examples=80, deadline=None)
def test_shrinkage_never_grows_a_coefficient_and_keeps_variances_positive(
    seed: int, width: int, noise: float
) -> None:
    rng = np.random.Generator(np.random.Philox(seed))
    root = rng.normal(size=(width + 2, width))
    information = root.T @ root
    score = information @ rng.normal(size=width)
    block = Block(information)
    posterior = block.posterior(score, noise)
    plain = np.linalg.lstsq(information, score, rcond=None)[0]
    values, vectors = np.linalg.eigh(information)
    kept = values > 1e-8 * values.max()
    shrunk, own = (vectors.T @ posterior.mean)[kept], (vectors.T @ plain)[kept]
    assert (np.abs(shrunk) <= np.abs(own) * (1 + 1e-6) + 1e-9).all()
    assert np.linalg.eigvalsh(posterior.covariance).min() >= -1e-9
    assert (block.evidence(score[:, None], noise) >= 0.0).all()


@given(
    observed=st.dictionaries(st.sampled_from("abcd"), st.floats(0.0, 5.0), min_size=1),
    seed=SEEDS,
)
@settings(max_examples=60, deadline=None)
def test_adjusting_never_makes_a_p_value_smaller(observed: dict[str, float], seed: int) -> None:
    rng = np.random.Generator(np.random.Philox(seed))
    null: dict[str, Floats] = {name: rng.exponential(size=50) for name in observed}
    raw = {n: (1 + (null[n] >= v).sum()) / 51 for n, v in observed.items()}
    found = adjusted(observed, null)
    assert set(found) == set(observed)
    assert all(found[name] >= raw[name] for name in found)
    assert all(0.0 < p <= 1.0 for p in found.values())


@given(seed=SEEDS, tests=st.integers(1, 12), draws=st.integers(9, 60))
@settings(max_examples=40, deadline=None)
def test_of_all_draws_no_more_than_promised_look_like_an_effect_anywhere(
    seed: int, tests: int, draws: int
) -> None:
    """Under the null the logged draw is one of many alike: whichever it is, the least adjusted
    p-value is at most p for no more than a share p of them."""
    rng = np.random.Generator(np.random.Philox(seed))
    values = rng.exponential(size=(tests, draws))
    least = []
    for at in range(draws):
        observed = {str(k): float(values[k, at]) for k in range(tests)}
        null = {str(k): np.delete(values[k], at) for k in range(tests)}
        least.append(min(adjusted(observed, null).values()))
    for p in (0.05, 0.1, 0.3):
        assert (np.asarray(least) <= p + 1e-9).mean() <= p + 1e-9
