"""Lock-in: who is integrated deeply pays rather than leaves, until the term is over."""

from __future__ import annotations

import numpy as np

from simulation.response import CHURN, UPGRADE, Floats, Situation, natural


def lock_in(s: Situation, felt: Floats, /) -> Floats:
    """Integrations decide between upgrade and churn; locked-in tenants take revenge at renewal."""
    rates = natural(s)
    pain = felt / (felt + 0.06)
    bound = np.clip(s.integrations / 6.0, 0.0, 1.0)
    rates[:, UPGRADE] *= 1.0 + 4.0 * pain * bound**2
    rates[:, CHURN] *= 1.0 + 3.5 * pain * (1.0 - bound) ** 2
    rates[:, CHURN] *= np.where(s.renewal_due, 1.0 + 1.5 * np.minimum(s.memory.toll, 2.0), 1.0)
    return rates
