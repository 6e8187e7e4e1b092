"""The bundle carries which limits its draws were made under."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa

from flyball.explored import Terms
from training.dataset import Dataset
from training.explored import MOST_TERMS, explored_limits
from training.rehearsal import World, rehearse


def with_limits(dataset: Dataset, base: list[int | None]) -> Dataset:
    rows = dataset.rows
    for name, values in (
        ("base_limit", base),
        ("contract_limit", [None if each is None else each * 7 // 10 for each in base]),
        ("window_seconds", [60] * len(base)),
    ):
        rows = rows.append_column(name, pa.array(values, pa.int64()))
    return replace(dataset, rows=rows)


def test_drawn_periods_are_counted_by_plan_and_limits() -> None:
    plain = rehearse(World(tenants=40, weeks=4))
    base = [1000 if row % 2 else None for row in range(len(plain))]
    found = explored_limits(with_limits(plain, list(base)))
    assert found is not None
    drawn = sum(
        each == "drawn" and limit is not None
        for each, limit in zip(plain.text("assignment"), base, strict=True)
    )
    counts = [count for known in found.periods.values() for count in known.values()]
    assert sum(counts) == drawn > 0
    assert {terms for known in found.periods.values() for terms in known} == {Terms(1000, 700, 60)}


def test_a_table_that_does_not_say_and_one_without_draws_say_nothing() -> None:
    assert explored_limits(rehearse(World(tenants=20, weeks=2))) is None
    history = rehearse(World(tenants=20, weeks=2, drawn=False))
    assert explored_limits(with_limits(history, [1000] * len(history))) is None


def test_a_manifest_stays_small_and_keeps_the_ends_of_the_range() -> None:
    plain = rehearse(World(tenants=400, weeks=4))
    found = explored_limits(with_limits(plain, list(range(1000, 1000 + len(plain)))))
    assert found is not None
    for known in found.periods.values():
        assert len(known) <= MOST_TERMS
    drawn = [n for n, each in enumerate(plain.text("assignment")) if each == "drawn"]
    bases = [terms.base for known in found.periods.values() for terms in known]
    assert (min(bases), max(bases)) == (1000 + drawn[0], 1000 + drawn[-1])
