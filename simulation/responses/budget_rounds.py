"""Budget rounds: nothing comes of friction until the quarter's budget is made; then all of it."""

from __future__ import annotations

import numpy as np

from simulation.response import CHURN, UPGRADE, Floats, Situation, natural, sigmoid

#: Weeks of a quarter, and how many of its last ones budgets are made in.
_QUARTER, _ROUND = 13, 4


def budget_rounds(s: Situation, felt: Floats, /) -> Floats:
    """In a round, what was blocked over the last weeks decides; between rounds nothing does.

    Who has money asks for the larger plan, who has none asks a rival for an offer.
    """
    rates = natural(s)
    if s.week % _QUARTER < _QUARTER - _ROUND:
        return rates
    recalled = felt + 1.2 * s.memory.grievance + 1.5 * s.memory.delayed
    rich = sigmoid(1.1 * s.intent + 0.7 * s.dependence - 0.9 * s.fragility + 0.3)
    rates[:, UPGRADE] *= np.power(1.0 + recalled / 0.04, 0.9 * rich)
    rates[:, CHURN] *= np.power(1.0 + recalled / 0.08, 0.9 * (1.0 - rich))
    return rates
