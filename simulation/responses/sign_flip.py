"""Sign flip: what makes one segment upgrade makes another leave."""

from __future__ import annotations

import numpy as np

from simulation.response import CHURN, UPGRADE, Floats, Situation, natural

#: By segment (fintech, logistics, retail, media, internal tools): factor at full strength.
_UPGRADE = np.array([2.8, 2.8, 1.0, 0.5, 0.5])
_CHURN = np.array([1.0, 1.0, 1.0, 3.5, 3.5])


def sign_flip(s: Situation, felt: Floats, /) -> Floats:
    """Factors go from 1 to the segment's own as blocked share grows."""
    rates = natural(s)
    strength = np.tanh(felt / 0.07)
    rates[:, UPGRADE] *= 1.0 + strength * (_UPGRADE[s.segment] - 1.0)
    rates[:, CHURN] *= 1.0 + strength * (_CHURN[s.segment] - 1.0)
    return rates
