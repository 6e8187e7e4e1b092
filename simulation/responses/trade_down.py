"""Trade down: who is throttled looks for a cheaper plan first, and leaves where there is none."""

from __future__ import annotations

import numpy as np

from simulation.response import CHURN, DOWNGRADE, UPGRADE, Floats, Situation, natural, sigmoid


def trade_down(s: Situation, felt: Floats, /) -> Floats:
    """Downgrades rise steeply past a few percent blocked; the ambitious still upgrade.

    Who cannot go down any further, or has gone on being blocked, leaves instead.
    """
    rates = natural(s)
    odds = (felt / 0.05) ** 1.5
    sulk = odds / (1.0 + odds)
    modest = sigmoid(0.9 * s.fragility - 1.4 * s.intent - 8.0 * s.momentum - 0.2)
    rates[:, DOWNGRADE] *= 1.0 + 9.0 * sulk * modest
    rates[:, UPGRADE] *= 1.0 + 2.4 * sulk * (1.0 - modest) ** 2
    cornered = np.where(s.bottom_plan, 1.0, np.minimum(s.memory.grievance / 0.12, 1.0))
    rates[:, CHURN] *= 1.0 + 2.2 * sulk * modest * cornered
    return rates
