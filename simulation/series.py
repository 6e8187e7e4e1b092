"""Shapes of demand bootstrapped from real series: whole weeks of hours, drawn again and again.

Each series of counts (``timestamp,value`` in CSV, steps of an hour or less) becomes one kind of
tenant: its hours are added up, divided by its usual busy hour (the 95th percentile) and cut into
weeks from Monday on. A tenant keeps its series for life; which of the series' weeks it lives in a
week of the world is drawn anew. The weeks are blocks, so rhythms and bursts within them stay whole.
(Block bootstrap: Künsch 1989.)
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simulation.calendar_week import HOURS, first_hour, week_of
from simulation.chance import Stream, uniforms

Hourly = NDArray[np.float64]

#: Counts of requests, calls or mentions; the other series of the collection are loads and prices.
PATTERNS = ("Twitter_volume_*.csv", "elb_request_count_*.csv", "nyc_taxi.csv")
#: No hour is above so many usual busy hours: limits of five figures are not made for more.
_CEILING = 6.0
_BUSY_PERCENTILE = 95.0


@dataclass(frozen=True, slots=True)
class Shapes:
    """Weeks of every series: ``blocks`` ``[k, 168]``, in usual busy hours; series *i* has rows
    ``first[i]`` to ``first[i + 1]``."""

    blocks: Hourly
    first: NDArray[np.int64]

    @property
    def count(self) -> int:
        """How many series there are."""
        return len(self.first) - 1

    def of_week(self, seed: int, week: int, tenants: int) -> Hourly:
        """The shape that each of the first ``tenants`` lives in ``week``, ``[tenants, 168]``."""
        series = (uniforms(seed, Stream.SERIES, 0, tenants)[:, 0] * self.count).astype(np.int64)
        length = np.diff(self.first)[series]
        u = uniforms(seed, Stream.SERIES, week, tenants)[:, 0]
        result: Hourly = self.blocks[self.first[series] + (u * length).astype(np.int64)]
        return result


@lru_cache(maxsize=4)
def shapes_in(folder: str) -> Shapes:
    """Every series below ``folder``.

    Raises
    ------
    ValueError
        There is none, or one cannot be read.
    """
    paths = sorted(p for pattern in PATTERNS for p in Path(folder).rglob(pattern))
    weeks = [found for path in paths if len(found := _weeks(path))]
    if not weeks:
        raise ValueError(f"{folder} holds no series of counts ({', '.join(PATTERNS)}).")
    return Shapes(np.concatenate(weeks), np.cumsum([0, *(len(each) for each in weeks)]))


def _weeks(path: Path) -> Hourly:
    """Whole weeks of one series in usual busy hours, ``[weeks, 168]``."""
    hours, values = _read(path)
    start = first_hour(week_of(int(hours.min()) - 1) + 1)
    count = max(0, (int(hours.max()) + 1 - start) // HOURS)
    sums = np.bincount(hours - hours.min(), weights=values)[start - int(hours.min()) :]
    busy = float(np.percentile(sums, _BUSY_PERCENTILE)) if count else 0.0
    if busy <= 0.0:
        return np.zeros((0, HOURS))
    return np.minimum(sums[: count * HOURS].reshape(count, HOURS) / busy, _CEILING)


def _read(path: Path) -> tuple[NDArray[np.int64], Hourly]:
    """Hours since the epoch and counts, row by row."""
    hours, values = [], []
    with path.open(newline="") as file:
        for number, row in enumerate(csv.DictReader(file), 2):
            try:
                moment = datetime.fromisoformat(row["timestamp"]).replace(tzinfo=UTC)
                values.append(max(0.0, float(row["value"])))
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(f"{path}, line {number}: no timestamp and value.") from error
            hours.append(int(moment.timestamp()) // 3600)
    if not hours:
        raise ValueError(f"{path} is empty.")
    return np.array(hours, dtype=np.int64), np.array(values)
