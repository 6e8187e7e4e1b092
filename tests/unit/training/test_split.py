"""Nobody is judged on what somebody learned from."""

from __future__ import annotations

import numpy as np

from training.rehearsal import World, rehearse
from training.split import SplitSettings, organisation_position, split_rows

DATASET = rehearse(World(tenants=120, weeks=12))


def test_no_organisation_both_teaches_and_judges() -> None:
    split = split_rows(DATASET)
    organisation = np.asarray(DATASET.text("organisation"))
    judging = set(organisation[split.test])
    assert judging
    assert not judging & set(organisation[split.train | split.calibration])


def test_an_embargo_of_one_period_lies_between_early_and_late() -> None:
    split = split_rows(DATASET)
    hours = DATASET.start_hours()
    late = split.calibration | split.test
    assert hours[late].min() == split.cut_hour
    assert hours[split.train].max() + 7 * 24 < split.cut_hour


def test_an_organisation_judges_every_model_alike() -> None:
    names = ["acme", "initech", "acme"]
    assert organisation_position(names)[0] == organisation_position(names[::-1])[0]
    assert organisation_position(["acme"])[0] == organisation_position(["acme", "b"])[0]


def test_a_short_history_is_split_by_organisation_only() -> None:
    split = split_rows(rehearse(World(tenants=200, weeks=2)))
    for part in (split.train, split.calibration, split.test):
        assert part.any()
    assert not (split.train & split.test).any()


def test_an_empty_dataset_has_empty_parts() -> None:
    empty = DATASET.take(np.zeros(len(DATASET), dtype=bool))
    assert not len(split_rows(empty).train)


def test_shares_are_about_what_was_asked_for() -> None:
    split = split_rows(DATASET, SplitSettings(test_share=0.5, late_share=0.5))
    late = split.calibration | split.test
    assert abs(late.mean() - 0.5) < 0.1
