"""Sealed raw rows by arrival day, in batches that fit into memory."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow.compute as pc

from flyball.home import Home
from flyball.instant import DAY_US
from telemetry.history_files import HistoryFile, paths_of
from telemetry.raw_usage import read_raw

#: Raw rows folded at a time; bounds memory at a few hundred megabytes. More would be slower, too.
FOLD_ROWS = 400_000


class Arrivals:
    """Raw rows of some history files, each file read once where memory allows.

    Parameters
    ----------
    home:
        Where the history lies.
    files:
        Its files, in order of event day.
    """

    def __init__(self, home: Home, files: Iterable[HistoryFile]) -> None:
        self._home = home
        self._files = list(files)
        self._later: dict[str, Any] = {}
        self._later_rows = 0

    def weight(self, days: Iterable[int]) -> dict[int, int]:
        """Sealed rows that arrived on each of ``days``."""
        return {day: sum(file.arrivals.get(day, 0) for file in self._files) for day in days}

    def groups(self, days: Iterable[int]) -> Iterator[list[int]]:
        """``days`` in order, in groups of about :data:`FOLD_ROWS` rows, a day at the least."""
        group: list[int] = []
        rows = 0
        for day, weight in sorted(self.weight(days).items()):
            if group and rows + weight > FOLD_ROWS:
                yield group
                group, rows = [], 0
            group.append(day)
            rows += weight
        if group:
            yield group

    def batches(self, days: Collection[int], *others: Any) -> Iterator[Any]:
        """pyarrow tables of what arrived on ``days``, an event day never in two of them.

        Ask for days in order, and once. ``others`` are tables of more rows, which the first batch
        takes in together with everything else.
        """
        files = [file for file in self._files if not file.arrivals.keys().isdisjoint(days)]
        if others:
            yield self._arrived(read_raw(paths_of(self._home, files), *others), set(days))
            return
        for batch in _cut(files, days):
            yield read_raw((), *(self._rows(file, set(days)) for file in batch))

    def _rows(self, file: HistoryFile, days: set[int]) -> Any:
        """Rows of ``file`` that arrived on ``days``; what arrived later is kept for its turn."""
        table = self._later.pop(file.name, None)
        if table is None:
            table = read_raw(paths_of(self._home, [file]))
        else:
            self._later_rows -= table.num_rows
        if file.arrivals.keys() <= days:
            return table
        later = table.filter(pc.greater(_arrival_day(table), max(days)))
        if later.num_rows and self._later_rows + later.num_rows <= FOLD_ROWS:
            self._later[file.name] = later
            self._later_rows += later.num_rows
        return self._arrived(table, days)

    def _arrived(self, table: Any, days: set[int]) -> Any:
        return table.filter(np.isin(_arrival_day(table), sorted(days)))


def _arrival_day(table: Any) -> Any:
    happened, arrived = table.column("time_us").to_numpy(), table.column("arrived_us").to_numpy()
    return np.maximum(arrived, happened) // DAY_US


def _cut(files: Iterable[HistoryFile], days: Collection[int]) -> Iterator[list[HistoryFile]]:
    """Files in batches of whole event days. Only a long import that arrived at once needs many."""
    batch: list[HistoryFile] = []
    rows = 0
    for _, same_day in groupby(files, lambda file: file.event_day):
        more = list(same_day)
        weight = sum(file.arrivals.get(day, 0) for file in more for day in days)
        if batch and rows + weight > 2 * FOLD_ROWS:
            yield batch
            batch, rows = [], 0
        batch += more
        rows += weight
    if batch:
        yield batch
