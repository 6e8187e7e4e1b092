"""Threshold: little is noticed until it is too much, and the bill comes at the renewal."""

from __future__ import annotations

import numpy as np

from simulation.response import CHURN, UPGRADE, Floats, Situation, natural


def threshold(s: Situation, felt: Floats, /) -> Floats:
    """Steps, not slopes.

    Above 4 % blocked, tenants that want to grow upgrade. A term contract ends badly where the
    term's toll passed what the tenant tolerates; without a term, tenants leave above a level.
    """
    rates = natural(s)
    tolerated = np.exp(-0.4 * s.fragility)
    rates[:, UPGRADE] *= np.where((felt > 0.04) & (s.intent > -0.3), 2.6, 1.0)
    fed_up = s.renewal_due & (s.memory.toll + felt > 0.6 * tolerated)
    rates[:, CHURN] *= np.where(fed_up, 6.0, 1.0)
    at_will = ~s.term_contract & (felt + s.memory.grievance > 0.16 * tolerated)
    rates[:, CHURN] *= np.where(at_will, 2.5, 1.0)
    return rates
