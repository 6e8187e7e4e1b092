from __future__ import annotations

import numpy as np

from simulation.chance import Stream, generator, poisson_at, uniforms


def test_a_tenants_numbers_do_not_depend_on_how_many_tenants_there_are() -> None:
    few = uniforms(7, Stream.OUTCOME, 2_900, 10, 3)
    many = uniforms(7, Stream.OUTCOME, 2_900, 1_000, 3)
    assert (few == many[:10]).all()


def test_normals_keep_a_tenants_row_too() -> None:
    few = generator(7, Stream.HOUR_NOISE, 2_900).standard_normal((10, 168))
    many = generator(7, Stream.HOUR_NOISE, 2_900).standard_normal((50, 168))
    assert (few == many[:10]).all()


def test_streams_weeks_and_seeds_are_independent() -> None:
    base = uniforms(7, Stream.OUTCOME, 2_900, 2_000)[:, 0]
    others = (
        uniforms(8, Stream.OUTCOME, 2_900, 2_000),
        uniforms(7, Stream.TICKET, 2_900, 2_000),
        uniforms(7, Stream.OUTCOME, 2_901, 2_000),
    )
    for other in others:
        assert abs(np.corrcoef(base, other[:, 0])[0, 1]) < 0.08


def test_poisson_by_inversion_has_the_right_mean_and_grows_with_its_rate() -> None:
    u = uniforms(1, Stream.TICKET, 1, 20_000)[:, 0]
    low = poisson_at(np.full(20_000, 0.5), u)
    high = poisson_at(np.full(20_000, 1.5), u)
    assert abs(low.mean() - 0.5) < 0.02
    assert abs(high.mean() - 1.5) < 0.04
    assert (high >= low).all()
