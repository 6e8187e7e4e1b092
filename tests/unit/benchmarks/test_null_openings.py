"""A short form of ``benchmarks/null_openings.py``, and that it would notice a learner that errs."""

from __future__ import annotations

import pytest

from benchmarks.null_openings import (
    Openings,
    Share,
    main,
    null_openings,
    pooled_coverage,
    report,
    row_coverage,
)


def _share(did: int, count: int) -> Share:
    return Share(count=count, did=did)


def test_each_world_and_each_outcome_is_counted_once() -> None:
    found = null_openings(4, tenants=40)
    assert (found.anything.count, found.pooled.count, found.other.count) == (4, 8, 8)
    assert found.pooled.did + found.other.did >= found.anything.did


def test_other_seeds_are_other_worlds() -> None:
    assert row_coverage(2, tenants=60).rows != row_coverage(2, seed=1, tenants=60).rows


def test_intervals_of_real_effects_mostly_cover_them() -> None:
    covered = pooled_coverage(10, tenants=150)
    # 20 intervals of 95 %: fewer than 16 would happen once in four hundred times.
    assert covered.count == 20
    assert covered.did >= 16


def test_differences_that_are_there_are_found_and_mostly_covered() -> None:
    found = row_coverage(2)
    assert found.segment.did == found.personal.did == 2
    mean, error = found.mean
    assert mean >= 0.6
    assert error > 0.0


def test_the_promise_is_broken_where_chance_cannot_explain_it() -> None:
    assert not Openings(anything=_share(8, 100)).broken
    assert Openings(anything=_share(13, 100)).broken
    # What opened in 7.9 % of 1,200 worlds before small p-values were corrected exactly.
    assert Openings(anything=_share(95, 1_200)).broken
    assert not Openings(anything=_share(77, 1_600)).broken


def test_the_figures_are_printed_with_their_intervals(capsys: pytest.CaptureFixture[str]) -> None:
    found = report(2, 2)
    told = capsys.readouterr().out
    assert f"{found.anything}; promised: at most 5%" in told
    assert ("The promise is broken." in told) is found.broken


def test_too_few_worlds_to_tell_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--worlds", "2"])
    assert "--worlds must be at least 50" in capsys.readouterr().err
