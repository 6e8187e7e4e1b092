"""Delayed and fatigue: upgrades come at once and wear off; churn comes a month or two later."""

from __future__ import annotations

import numpy as np

from simulation.response import CHURN, UPGRADE, Floats, Situation, natural, sigmoid


def delayed(s: Situation, felt: Floats, /) -> Floats:
    """Fresh friction sells, repeated friction does not; what was felt weeks ago drives out."""
    rates = natural(s)
    fresh = np.sqrt(np.minimum(felt / 0.25, 1.0)) * (1.0 - s.memory.weariness) ** 2
    rates[:, UPGRADE] *= 1.0 + 2.4 * fresh * sigmoid(s.intent)
    late = np.minimum(s.memory.delayed / 0.06, 2.5)
    rates[:, CHURN] *= 1.0 + 1.1 * late * sigmoid(1.2 * s.fragility)
    return rates
