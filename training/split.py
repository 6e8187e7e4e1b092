"""Who is learned from, who calibrates and who judges.

By organisation, because accounts of one customer leave together; and by time with an embargo of
one period, because a model must predict weeks that it has not seen. The hash has no seed: an
organisation that judged one model judges the next, so a champion is never examined on rows that it
was fitted to.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.dataset import Bools, Dataset, Floats

HOURS_PER_DAY = 24

_SALT = b"flyball-split-1"


@dataclass(frozen=True, slots=True)
class SplitSettings:
    """Shares of a split.

    ``test_share`` of the organisations judge; ``late_share`` of the time span (0..1) is kept from
    fitting. ``embargo_days`` lie between the two; None means one period.
    """

    test_share: float = 0.3
    late_share: float = 0.4
    embargo_days: int | None = None


@dataclass(frozen=True, slots=True)
class Split:
    """Row masks ``[n]`` of one dataset; no organisation is in both ``test`` and another part.

    ``train`` is early, ``calibration`` and ``test`` are late. ``cut_hour`` is where late begins.
    """

    train: Bools
    calibration: Bools
    test: Bools
    cut_hour: int


def organisation_position(organisations: Sequence[str]) -> Floats:
    """A stable place in [0, 1) for each organisation, ``[n]``."""
    places = {name: _place(name) for name in set(organisations)}
    return np.asarray([places[name] for name in organisations], dtype=np.float64)


def judging_organisations(dataset: Dataset, settings: SplitSettings | None = None) -> Bools:
    """Rows ``[n]`` of organisations that judge, in all weeks."""
    chosen = settings or SplitSettings()
    place = organisation_position(dataset.text("organisation"))
    return np.asarray(place < chosen.test_share)


def _place(name: str) -> float:
    digest = hashlib.blake2b(name.encode(), digest_size=8, key=_SALT).digest()
    return int.from_bytes(digest, "big") / 2.0**64


def split_rows(dataset: Dataset, settings: SplitSettings | None = None) -> Split:
    """Split ``dataset`` by time and by organisation.

    A dataset whose span is too short for an early and a late part is split by organisation only,
    so that a young install can still learn something.
    """
    chosen = settings or SplitSettings()
    hours = dataset.start_hours()
    place = organisation_position(dataset.text("organisation"))
    judging = place < chosen.test_share
    embargo = chosen.embargo_days if chosen.embargo_days is not None else dataset.period_days
    if not len(hours):
        empty = np.zeros(0, dtype=bool)
        return Split(empty, empty, empty, 0)
    first, last = int(hours.min()), int(hours.max())
    starts = np.unique(hours)
    cut = int(np.quantile(starts, 1.0 - chosen.late_share, method="higher"))
    early_end = cut - embargo * HOURS_PER_DAY
    if early_end <= first or last <= first:
        calibrating = ~judging & (place < chosen.test_share + (1 - chosen.test_share) * 0.3)
        return Split(~judging & ~calibrating, calibrating, judging, first)
    early, late = hours < early_end, hours >= cut
    return Split(early & ~judging, late & ~judging, late & judging, cut)
