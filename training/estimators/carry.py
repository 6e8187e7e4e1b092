"""Carry-over: what past doses do to later outcomes.

A row's carry is the sum of its tenant's past dose residuals, each halved every ``half_life``
periods. Residuals have mean 0 whatever came before, so past draws cannot be confounded by demand.
"""

from __future__ import annotations

import numpy as np

from training.dataset import Floats
from training.estimators.table import EffectTable

#: Candidates, in periods.
HALF_LIVES = (1.0, 2.0, 4.0, 8.0)
#: Periods over which a dose's later effect is summed up.
FUTURE_PERIODS = 26


class Past:
    """The order of each tenant's rows in time, for sums over past or later rows."""

    def __init__(self, table: EffectTable) -> None:
        assert table.tenant is not None
        assert table.period is not None
        order = np.lexsort((table.period, table.tenant))
        tenant, period = table.tenant[order], table.period[order]
        same = np.concatenate([[False], tenant[1:] == tenant[:-1]])
        start = np.flatnonzero(~same)
        rank = np.arange(len(order)) - np.repeat(start, np.diff(np.append(start, len(order))))
        self._ranks = [order[rank == r] for r in range(int(rank.max()) + 1)] if len(order) else []
        self._before = np.full(len(order), -1, dtype=np.int64)
        self._before[order[1:]] = np.where(same[1:], order[:-1], -1)
        self._gap = np.zeros(len(order))
        self._gap[order[1:]] = np.where(same[1:], period[1:] - period[:-1], 0.0)

    def earlier(self, values: Floats, half_life: float) -> Floats:
        """For each row the decayed sum of ``values`` [n] over its tenant's earlier rows."""
        total = np.zeros(len(values))
        for rows in self._ranks[1:]:
            before = self._before[rows]
            total[rows] = 0.5 ** (self._gap[rows] / half_life) * (total[before] + values[before])
        return total

    def later(self, values: Floats, half_life: float) -> Floats:
        """The transpose: for each row the decayed sum of ``values`` over later rows."""
        total = np.zeros(len(values))
        for rows in reversed(self._ranks[1:]):
            before = self._before[rows]
            total[before] = 0.5 ** (self._gap[rows] / half_life) * (total[rows] + values[rows])
        return total


def future(half_life: float) -> float:
    """How much carry one unit of dose adds up to over the next ``FUTURE_PERIODS``."""
    decay = 0.5 ** (1.0 / half_life)
    return float(decay * (1.0 - decay**FUTURE_PERIODS) / (1.0 - decay))
