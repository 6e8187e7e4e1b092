"""Confounded and drifting: who was tightened, who was called and what it did all move."""

from __future__ import annotations

import numpy as np

from simulation.response import CHURN, UPGRADE, Floats, Situation, natural

#: Weeks in which the response goes once from its best to its worst and back.
_TURN_WEEKS = 96


def confounded(s: Situation, felt: Floats, /) -> Floats:
    """The lift of upgrades fades over the first year, while harm grows."""
    rates = natural(s)
    good = 0.5 + 0.5 * np.cos(2.0 * np.pi * s.week / _TURN_WEEKS)
    pain = np.minimum(felt / 0.2, 1.0)
    rates[:, UPGRADE] *= 1.0 + 2.5 * good * pain
    rates[:, CHURN] *= 1.0 + (0.4 + 1.2 * (1.0 - good)) * pain * np.exp(0.4 * s.fragility)
    return rates
